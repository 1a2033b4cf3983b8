"""Rare classes helped by generated rows, in a loop that must earn its keep, and how good generated rows are.

`loop` generates, filters and decides within one part of a table; `augment` judges the loop on folds that it never saw;
`compare` says how far a generated table is from a real one. Needs scikit-learn (extra `sklearn`); to generate, torch.
"""

"""A peer of ctgan on a table: `python gan_peers.py METHOD TRAIN OUT CATEGORIES ROWS SEED [LABEL VALUE]`.

METHOD is ctgan or tvae, at the package's own settings (300 epochs of batches of 500); CATEGORIES stand between
commas. With a label, ctgan draws given the class, as its authors offer it.
"""

import sys
import warnings


def main() -> None:
    """Fit and write so many rows."""
    warnings.simplefilter("ignore")
    import numpy as np
    import pandas as pd
    import torch
    from ctgan import CTGAN, TVAE

    method, train, out, categories, count, seed, *given = sys.argv[1:]
    names = categories.split(",") if categories else []
    rows = pd.read_csv(train, keep_default_na=False, na_values=[""], dtype=dict.fromkeys(names, str))
    rows[names] = rows[names].fillna("").astype(object)
    torch.manual_seed(int(seed))
    np.random.seed(int(seed))  # the package draws from the global generator
    model = {"ctgan": CTGAN, "tvae": TVAE}[method]()
    model.fit(rows, discrete_columns=names)
    made = model.sample(int(count), *given)
    if given:
        # The condition of ctgan is a wish: rows of other classes come too.
        made = made[made[given[0]].astype(str) == given[1]]
    made.to_csv(out, index=False)


if __name__ == "__main__":
    main()

"""Diffusion of table rows in torch: training the network, generating rows, energies on a GPU.

Not for scoring on a CPU: that is `rust/core/src/network`, which reads what `export` writes. Import the modules
themselves; importing this package loads nothing.
"""

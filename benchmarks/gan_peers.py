"""A peer of ctgan on a table: `python gan_peers.py METHOD TRAIN OUT CATEGORIES ROWS SEED [LABEL VALUE]`.

METHOD is ctgan or tvae, at the package's own settings (300 epochs of batches of 500), or with as many epochs as five
minutes allow; how many is printed. CATEGORIES stand between commas. With a label, ctgan draws given the class, as its
authors offer it.
"""

import sys
import time
import warnings

EPOCHS, MOST_SECONDS = 300, 300.0


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
    kind = {"ctgan": CTGAN, "tvae": TVAE}[method]

    def fitted(epochs: int) -> tuple[object, float]:
        began = time.perf_counter()
        model = kind(epochs=epochs)
        model.fit(rows, discrete_columns=names)
        return model, time.perf_counter() - began

    once, thrice = fitted(1)[1], fitted(3)[1]
    epochs = int(min(EPOCHS, max(1.0, (MOST_SECONDS - once) / max((thrice - once) / 2.0, 1e-3))))
    torch.manual_seed(int(seed))
    np.random.seed(int(seed))
    model, _ = fitted(epochs)
    print(epochs)
    made = model.sample(int(count), *given)
    if given:
        # The condition of ctgan is a wish: rows of other classes come too.
        made = made[made[given[0]].astype(str) == given[1]]
    made.to_csv(out, index=False)


if __name__ == "__main__":
    main()

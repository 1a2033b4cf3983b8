//! See `tests/seam/test_student.py` for the comparison with numpy and torch.

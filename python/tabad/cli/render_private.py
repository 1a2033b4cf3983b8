"""The guarantee of a private model in words, for `tabad fit` and `tabad inspect`."""

from typing import Any

__all__ = ["private_lines"]


def private_lines(facts: dict[str, Any]) -> list[str]:
    """Lines on a model's privacy, the first for the heading `private`; none where the model is not private."""
    private = facts.get("private")
    if not private:
        return []
    lines = []
    if not private["secret_noise"]:
        lines.append("NOT PRIVATE: the noise came from a seed, as tests want it")
    terms = f"epsilon {private['epsilon']}, delta {private['delta']}"
    lines.append(f"{terms} for {private['adjacency']} ({private['method']})")
    gaussian = private["accountant"]["gaussian"]
    lines.append(
        f"Gaussian mechanisms: epsilon {gaussian['epsilon']}, delta {gaussian['delta']} "
        f"(mu {gaussian['mu']}), composed of"
    )
    for part in gaussian["mechanisms"]:
        share = f"{100 * float(part['share']):.1f} %"
        lines.append(f"  {part['purpose']}: {part['mechanisms']} with noise up to {part['noise']}, {share}")
    sgd = private["accountant"]["dp_sgd"]
    if sgd:
        lines.append(
            f"DP-SGD: epsilon {sgd['epsilon']}, delta {sgd['delta']} ({sgd['steps']} steps, rate {sgd['sample_rate']}, "
            f"noise {sgd['noise_multiplier']}, {sgd['accountant']})"
        )
    if private["accountant"]["vocabularies"]:
        lines.append(
            f"vocabularies: delta {private['accountant']['vocabularies']['delta']} for values that stood alone"
        )
    if private["paid_for"]:
        names = ", ".join(private["paid_for"][:10])
        lines.append(f"bounds and vocabularies of {names} were read from the table and are paid for above")
    if private.get("ranges_found"):
        lines.append(f"bounds found (what is beyond is moved to them): {', '.join(private['ranges_found'][:10])}")
    lines.append("the number of rows is private too; kept rows and p-values come from generated rows")
    return lines

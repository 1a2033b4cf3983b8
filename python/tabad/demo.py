"""A realistic payments table with planted, labelled frauds and errors, and how well a scoring found them.

Customers have a home country, a card and habits; merchants have a price level and a way of selling. Frauds break
the habits in ways that are known from practice (card testing, account takeover, a stolen card abroad at night);
errors are what really happens to cells (a slipped decimal point, a typo, a swap, a gap). No numpy: `tabad demo`
runs with the base installation.
"""

import datetime
import decimal
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

__all__ = ["FRAUDS", "MISTAKES", "payments", "report"]

FRAUDS = ("card testing", "account takeover", "stolen card abroad")
MISTAKES = ("amount times 100", "typo", "swapped values", "missing values")
FRAUD_SHARE = 0.005
MISTAKE_SHARE = 0.005

_CURRENCY = {"DE": "EUR", "FR": "EUR", "NL": "EUR", "GB": "GBP", "US": "USD", "CH": "CHF", "PL": "PLN"}
_HOMES = random.Random(0).choices(list(_CURRENCY), weights=[34, 20, 10, 14, 12, 5, 5], k=1_000)
_ABROAD = ("BR", "NG", "ID", "VN")
_MAIL = ("gmail.com", "outlook.com", "gmx.de", "yahoo.com", "icloud.com", "proton.me")
_THROWAWAY = ("mailinator.com", "tempmail.io")
_FIRST = ("anna", "ben", "carla", "david", "emma", "felix", "greta", "hugo", "ida", "jan", "kira", "leo", "mia", "nils",
          "olga", "paul", "rosa", "sam", "tina", "vera")  # fmt: skip
_LAST = ("adler", "becker", "costa", "dubois", "evans", "fischer", "garcia", "huber", "ivanov", "jansen", "keller",
         "lopez", "meyer", "novak", "rossi", "weber")  # fmt: skip
_SELLING = (("store", 0.45, 25.0), ("web", 0.35, 45.0), ("app", 0.15, 18.0), ("phone", 0.05, 90.0))
_START = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC)
_DAYS = 31


@dataclass(frozen=True)
class _Customer:
    id: str
    country: str
    email: str
    hour: float
    spending: float
    card_since: datetime.date


@dataclass(frozen=True)
class _Merchant:
    id: str
    channel: str
    price: float
    country: str


@dataclass
class _Columns:
    rows: dict[str, list[Any]] = field(default_factory=dict)

    def add(self, row: dict[str, Any]) -> None:
        for name, value in row.items():
            self.rows.setdefault(name, []).append(value)


def payments(rows: int = 20_000, seed: int = 7) -> pa.Table:
    """A table of card payments in March 2026, in order of time, with `is_fraud` and `error_kind`.

    About 0.5 % of the rows are frauds and 0.5 % carry an error. The same arguments give the same table.
    """
    draw = random.Random(seed)
    customers = [_customer(draw, number) for number in range(max(50, rows // 14))]
    merchants = [_merchant(draw, number) for number in range(max(20, rows // 70))]
    planted = draw.sample(range(rows), round(rows * FRAUD_SHARE) + round(rows * MISTAKE_SHARE))
    frauds = {row: FRAUDS[at % len(FRAUDS)] for at, row in enumerate(planted[: round(rows * FRAUD_SHARE)])}
    mistakes = {row: MISTAKES[at % len(MISTAKES)] for at, row in enumerate(planted[round(rows * FRAUD_SHARE) :])}
    tester = draw.choice([merchant for merchant in merchants if merchant.channel == "web"])
    popular = [1 / (1 + number) ** 0.7 for number in range(len(merchants))]
    table = _Columns()
    for number, moment in enumerate(sorted(draw.uniform(0, _DAYS) for _ in range(rows))):
        row = _ordinary(draw, draw.choice(customers), draw.choices(merchants, popular)[0], moment)
        fraud, mistake = frauds.get(number), mistakes.get(number)
        if fraud is not None:
            _defraud(draw, row, fraud, tester)
        if mistake is not None:
            _spoil(draw, row, mistake)
        table.add(
            {"transaction_id": f"TX{number:08d}", **row, "is_fraud": fraud is not None, "error_kind": fraud or mistake}
        )
    return _arrow(table.rows)


def _customer(draw: random.Random, number: int) -> _Customer:
    first, last = draw.choice(_FIRST), draw.choice(_LAST)
    email = f"{first}.{last}{draw.randrange(100) if draw.random() < 0.6 else ''}@{draw.choice(_MAIL)}"
    since = datetime.date(2026, 2, 20) - datetime.timedelta(days=int(draw.gammavariate(2.0, 350.0)) + 10)
    return _Customer(
        f"C{number:05d}", draw.choice(_HOMES), email, draw.gauss(14.5, 2.5), draw.lognormvariate(0, 0.4), since
    )


def _merchant(draw: random.Random, number: int) -> _Merchant:
    channel, _, price = draw.choices(_SELLING, [share for _, share, _ in _SELLING])[0]
    return _Merchant(f"M{number:04d}", channel, price * draw.lognormvariate(0, 0.6), draw.choice(_HOMES))


def _ordinary(draw: random.Random, who: _Customer, where: _Merchant, moment: float) -> dict[str, Any]:
    # In a store one pays where one is, nearly always at home; elsewhere the merchant's country does not show.
    country = where.country if where.channel == "store" and draw.random() < 0.06 else who.country
    hour = min(23.99, max(6.0, draw.gauss(who.hour, 3.0)))
    time = _START + datetime.timedelta(days=math.floor(moment), seconds=int(hour * 3600))
    amount = where.price * who.spending * draw.lognormvariate(0, 0.5)
    return {
        "customer_id": who.id,
        "merchant_id": where.id,
        "time": time,
        "amount": _money(amount),
        "currency": _CURRENCY[country],
        "country": country,
        "channel": where.channel,
        "card_age_days": (time.date() - who.card_since).days,
        "email": who.email,
    }


def _defraud(draw: random.Random, row: dict[str, Any], kind: str, tester: _Merchant) -> None:
    night = row["time"].replace(hour=draw.randrange(1, 5), minute=draw.randrange(60))
    if kind == "card testing":
        row.update(merchant_id=tester.id, channel="web", amount=_money(draw.choice((0.5, 1.0, 1.5))), time=night)
        row["card_age_days"] = draw.randrange(0, 6)
    elif kind == "account takeover":
        name = "".join(draw.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=14))
        row.update(email=f"{name}@{draw.choice(_THROWAWAY)}", channel="web", time=night)
        row["amount"] = _money(draw.uniform(600, 2_500))
    else:
        row.update(country=draw.choice(_ABROAD), currency="USD", channel="store", time=night)
        row["amount"] = _money(draw.uniform(300, 1_800))


def _spoil(draw: random.Random, row: dict[str, Any], kind: str) -> None:
    if kind == "amount times 100":
        row["amount"] = row["amount"] * 100
    elif kind == "typo":
        column = draw.choice(("currency", "country", "channel"))
        text = row[column]
        at = draw.randrange(len(text))
        row[column] = text[:at] + draw.choice("qxzj").upper() + text[at + 1 :]
    elif kind == "swapped values":
        row["country"], row["currency"] = row["currency"], row["country"]
    else:
        for column in draw.sample(("amount", "currency", "channel", "card_age_days", "email"), 2):
            row[column] = None


def _money(value: float) -> decimal.Decimal:
    return decimal.Decimal(f"{max(value, 0.5):.2f}")


def _arrow(columns: dict[str, list[Any]]) -> pa.Table:
    types = {
        "time": pa.timestamp("us", "Europe/Berlin"),
        "amount": pa.decimal128(12, 2),
        "card_age_days": pa.int32(),
        "is_fraud": pa.bool_(),
    }
    return pa.table({name: pa.array(values, types.get(name, pa.string())) for name, values in columns.items()})


def report(kinds: Sequence[str | None], scores: Sequence[float], flags: Sequence[bool]) -> list[str]:
    """How well the planted rows were found, as lines of text. `kinds`: what was planted in a row, or None."""
    planted = sum(kind is not None for kind in kinds)
    order = sorted(range(len(scores)), key=lambda row: (-scores[row], row))
    top = set(order[:planted])
    flagged = [row for row, flag in enumerate(flags) if flag]
    hits = sum(kinds[row] is not None for row in flagged)
    top_hits = sum(kinds[row] is not None for row in top)
    lines = [
        f"planted   {planted:,} of {len(kinds):,} rows",
        f"flagged   {len(flagged):,} rows: {_share(hits, len(flagged))} of them planted (precision), "
        f"{_share(hits, planted)} of the planted ones found (recall)",
        f"oddest    {planted:,} rows: {_share(top_hits, planted)} of them planted",
        f"{'':<10}{'planted':>26}{'flagged':>10}{'among the oddest':>19}",
    ]
    for kind in (*FRAUDS, *MISTAKES):
        rows = [row for row, found in enumerate(kinds) if found == kind]
        if rows:
            hit, high = sum(flags[row] for row in rows), sum(row in top for row in rows)
            lines.append(f"{'':<10}{kind:<20}{len(rows):>6}{hit:>10}{high:>19}")
    return lines


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.0%}" if whole else "none"

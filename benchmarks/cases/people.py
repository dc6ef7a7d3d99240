"""Inputs as people send them: a list of records with ids, names, e-mails, numbers and prose, the same in every run.

Ids and the names of members are such as Django gives them. What differs from person to person is drawn at random.
"""

from __future__ import annotations

import json
from random import Random
from typing import Any

_FIRST = (
    "Ada", "Alan", "Amara", "Björn", "Chidi", "Dolores", "Edsger", "Fatima", "Grace", "Hiroshi", "Ingrid",
    "João", "Katherine", "Li Wei", "Margaret", "Nadia", "Olivier", "Priya", "Quentin", "Rosa", "Søren",
    "Tariq", "Ursula", "Vikram", "Wanda", "Ximena", "Yusuf", "Zoë",
)  # fmt: skip
_LAST = (
    "Abara", "Bergström", "Castellanos", "Dijkstra", "Eze", "Fontaine", "García", "Hamilton", "Ito",
    "Johansson", "Kowalski", "Lovelace", "Müller", "Nakamura", "Okafor", "Petrov", "Quispe", "Rahman",
    "Santos", "Turing", "Umarov", "Vasquez", "Weber", "Xu", "Young", "Zimmermann",
)  # fmt: skip
_CITIES = (
    ("Berlin", "DE"), ("Lagos", "NG"), ("São Paulo", "BR"), ("Kyoto", "JP"), ("Montréal", "CA"),
    ("Lyon", "FR"), ("Chennai", "IN"), ("Gdańsk", "PL"), ("Austin", "US"), ("Nairobi", "KE"),
)  # fmt: skip
_MAIL = ("example.com", "example.org", "mail.example.net")
# Each is in one record, as what people write is: only past 20 kB do they come again.
_NOTES = (
    "Called about the delivery and asked for a later date.",
    "Wants the invoice as a PDF, addressed to the accounting department.",
    "Two of the glasses arrived broken; we have promised replacements by Friday.",
    "Prefers e-mail to the telephone.",
    "The old account was merged into this one in spring, together with its open orders.",
    "Please do not send the newsletter any more!",
    "Has moved twice this year, so check the address before anything heavy is shipped.",
    "Paid late in March, but with interest and an apology.",
    "Was recommended by a neighbour and gets ten percent off the first order.",
    "Speaks French; the shop in Lyon knows more.",
    "Ordered the blue one, received the green one, and decided to keep it.",
    "Rings the bell at the side entrance only, because the dog sleeps in front.",
    "Would rather pay by instalments from next quarter on.",
    "Claims that the voucher had not expired. It had, by an hour.",
    "Collects in person on Saturdays.",
    "Needs the manual in large print.",
    "Waiting for a quote: 40 chairs, oak, stackable.",
    "Birthday in June, likes lemon cake.",
    "Reported a scratch on the lid, sent photographs, was refunded half the price.",
    "Never answers before noon.",
    "Changed the surname after the wedding; the certificate is on file.",
    "Asks whether the lamp also comes with a longer cable.",
    "Returned the boots unworn.",
    "Sister of the customer above, with whom she shares the discount.",
)


def records(size: int) -> list[dict[str, Any]]:
    """Return records of at least so many bytes of JSON.

    Args:
        size: the bytes.
    """
    random, made, used = Random(10), list[dict[str, Any]](), 2
    while used < size:
        made.append(_record(random, len(made)))
        used += len(json.dumps(made[-1], ensure_ascii=False, separators=(",", ":")).encode()) + 1
    return made


def _record(random: Random, number: int) -> dict[str, Any]:
    first, last = random.choice(_FIRST), random.choice(_LAST)
    city, country = random.choice(_CITIES)
    return {
        "id": 10_000 + number * 7,
        "first_name": first,
        "last_name": last,
        "email": f"{first}.{last}@{random.choice(_MAIL)}".lower().replace(" ", "-"),
        "address": {"city": city, "postal_code": f"{random.randint(1_000, 99_999):05d}", "country": country},
        "date_joined": _moment(random),
        "is_active": random.random() < 0.8,
        "account_balance": round(random.uniform(-50, 4_000), 2),
        "average_rating": round(random.uniform(1, 5), 3),
        "subscriptions": random.sample(["newsletter", "offers", "wholesale", "events"], random.randint(0, 3)),
        "notes": "" if number % 2 else _NOTES[number // 2 % len(_NOTES)],
    }


def _moment(random: Random) -> str:
    day, hour, minute, second = (random.randint(*ends) for ends in ((1, 28), (6, 22), (0, 59), (0, 59)))
    return f"2026-{random.randint(1, 12):02d}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}Z"

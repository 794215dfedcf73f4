"""Which alerts concern a receiving body: one rule for its page, its API, its files and its hook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from enforcement.change_types import KINDS
from enforcement.states import read_states
from errors import SettingsError

BodyKind = Literal["department", "police", "prosecutor", "court", "discipline", "supplier"]
BODY_KINDS: tuple[BodyKind, ...] = get_args(BodyKind)
"""``supplier``: of water or power; receives the list of places without supply and nothing else."""

LANDS = ("cultivated", "basic_farmland")
DETERMINATIONS = ("lawful", "farm_facility", "other_finding", "unlawful")


@dataclass(frozen=True)
class MatterFacts:
    """What the rule looks at.

    Attributes:
        code: administrative code of the smallest responsible area.
        kind, state: of the alert.
        determination: state of the determination by a person; "": none yet.
        cultivated_m2, basic_m2: overlapped areas.
        area_m2: of the alert.
        case: whether a case was opened.
    """

    code: str
    kind: str
    state: str
    determination: str
    cultivated_m2: float
    basic_m2: float
    area_m2: float
    case: bool = False


@dataclass(frozen=True)
class Matters:
    """Conditions on the alerts of a body; an empty one sets no condition.

    Attributes:
        kinds, states, determinations: any of these.
        land: ``cultivated`` or ``basic_farmland``: it has to be overlapped.
        min_land_m2: least overlapped area of that land; without ``land``, of the alert itself.
        cases_only: only alerts with a case.
    """

    kinds: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    determinations: tuple[str, ...] = ()
    land: str = ""
    min_land_m2: float = 0.0
    cases_only: bool = False

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Matters:
        """Return validated conditions.

        Raises:
            SettingsError: an unknown name or value.
        """
        lists = {"kinds": KINDS, "states": tuple(read_states().states), "determinations": DETERMINATIONS}
        given: dict[str, Any] = {}
        for name, known in lists.items():
            chosen = tuple(dict.fromkeys(str(value) for value in values.get(name) or ()))
            if not set(chosen) <= set(known):
                raise SettingsError(
                    f"{name} is {', '.join(chosen)}; expected any of {', '.join(known)}.",
                    "sharing.value",
                    name=name,
                    value=", ".join(chosen),
                )
            given[name] = chosen
        land = str(values.get("land") or "")
        least = float(values.get("min_land_m2") or 0.0)
        if land not in ("", *LANDS) or not 0 <= least < 1e12:
            raise SettingsError(
                f"land is {land!r} with at least {least:g} m²; expected one of {', '.join(LANDS)} and a number from 0.",
                "sharing.value",
                name="land",
                value=land,
            )
        if unknown := set(values) - {*lists, "land", "min_land_m2", "cases_only"}:
            raise SettingsError(
                f"Unknown conditions: {', '.join(sorted(unknown))}.",
                "sharing.value",
                name="matters",
                value=", ".join(sorted(unknown)),
            )
        return cls(land=land, min_land_m2=least, cases_only=bool(values.get("cases_only")), **given)

    def to_json(self) -> dict[str, Any]:
        """Return the conditions that are set, as :meth:`from_json` reads them."""
        values = {
            "kinds": list(self.kinds),
            "states": list(self.states),
            "determinations": list(self.determinations),
            "land": self.land,
            "min_land_m2": self.min_land_m2,
            "cases_only": self.cases_only,
        }
        return {name: value for name, value in values.items() if value}

    def include(self, facts: MatterFacts) -> bool:
        """Return whether an alert meets all conditions."""
        land_m2 = {"": facts.area_m2, "cultivated": facts.cultivated_m2, "basic_farmland": facts.basic_m2}[self.land]
        return (
            _any(self.kinds, facts.kind)
            and _any(self.states, facts.state)
            and _any(self.determinations, facts.determination)
            and (not self.land or land_m2 > 0)
            and land_m2 >= self.min_land_m2
            and (facts.case or not self.cases_only)
        )


def _any(wanted: Sequence[str], value: str) -> bool:
    return not wanted or value in wanted

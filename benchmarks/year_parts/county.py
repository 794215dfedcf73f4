"""The simulated county: townships, villages and the officers who work there, with their habits and absences."""

from __future__ import annotations

import datetime as dt
import math
import random
from dataclasses import dataclass, field
from functools import cached_property

from shapely.geometry import Polygon, box
from sqlalchemy import insert
from sqlalchemy.orm import Session

from store.access.rights import Viewer
from store.access.users import add_user, end_sessions, user_by_login, viewer_of
from store.schema.outlines import bounds_of
from store.schema.tables import Area

COUNTY, CITY = "330199", "3301"
WEST, SOUTH, SIDE = 119.0, 30.0, 0.02
"""Corner of the county and side of a village, degrees: about two kilometres."""

DEGREE_NORTH = 1 / 110_850.0
DEGREE_EAST = 1 / (111_320.0 * math.cos(math.radians(30.1)))
"""Degrees per metre in the county."""

STRIP = 5
"""Villages that one flight covers: a row of a township."""


@dataclass(frozen=True)
class Scale:
    """Size of the simulation.

    Attributes:
        townships, villages, officers: numbers; villages and officers of the whole county.
        nights: nights with new images.
        days: calendar days.
        sites: sites of construction or ground works per village and year.
        tips: tips per year.
        flights: flights per night, each over one row of villages.
    """

    townships: int = 12
    villages: int = 180
    officers: int = 400
    nights: int = 250
    days: int = 365
    sites: float = 8.0
    tips: int = 400
    flights: int = 2


@dataclass
class Village:
    """A village: code, outline (longitude, latitude) and its row of villages (number of the flight strip)."""

    code: str
    outline: Polygon
    strip: int


@dataclass
class Officer:
    """A person with habits.

    Attributes:
        login, role, code: of the account.
        late: probability that a step is taken after its deadline.
        careless: probability of a wrong click, which is undone.
        away: days of illness and leave.
        active: whether the account is in use; False: replaced by another person.
        viewer: rights.
    """

    login: str
    role: str
    code: str
    late: float
    careless: float
    away: set[dt.date]
    viewer: Viewer
    active: bool = True

    def present(self, day: dt.date) -> bool:
        """Return whether the person works on a day."""
        return self.active and day not in self.away


@dataclass
class County:
    """Villages and people of the county."""

    scale: Scale
    first_day: dt.date
    rng: random.Random
    villages: list[Village] = field(default_factory=list)
    officers: list[Officer] = field(default_factory=list)
    _serial: int = 0

    @cached_property
    def strips(self) -> dict[int, Polygon]:
        """Rows of villages, each the ground of one flight."""
        rows: dict[int, list[Polygon]] = {}
        for village in self.villages:
            rows.setdefault(village.strip, []).append(village.outline)
        bounds = {number: [outline.bounds for outline in outlines] for number, outlines in rows.items()}
        return {
            number: box(
                min(b[0] for b in each), min(b[1] for b in each), max(b[2] for b in each), max(b[3] for b in each)
            )
            for number, each in bounds.items()
        }

    def villages_of_strip(self, strip: int) -> list[Village]:
        """List the villages of a flight strip."""
        return [village for village in self.villages if village.strip == strip]

    def create(self, session: Session, now: dt.datetime) -> None:
        """Add areas and people to an empty database."""
        per_township = self.scale.villages // self.scale.townships
        columns, across = min(STRIP, per_township), math.ceil(math.sqrt(self.scale.townships))
        rows = math.ceil(per_township / columns)
        areas: list[tuple[str, str, Polygon]] = []
        strips = 0
        for town in range(self.scale.townships):
            west = WEST + (town % across) * columns * SIDE
            south = SOUTH + (town // across) * rows * SIDE
            code = f"{COUNTY}{town + 1:03d}"
            areas.append((code, "township", box(west, south, west + columns * SIDE, south + rows * SIDE)))
            for number in range(per_township):
                x, y = west + (number % columns) * SIDE, south + (number // columns) * SIDE
                outline = box(x, y, x + SIDE, y + SIDE)
                village = Village(f"{code}{number + 1:03d}", outline, strips + number // columns)
                self.villages.append(village)
                areas.append((village.code, "village", outline))
            strips += rows
        depth = math.ceil(self.scale.townships / across)
        whole = box(WEST, SOUTH, WEST + across * columns * SIDE, SOUTH + depth * rows * SIDE)
        areas.append((COUNTY, "county", whole))
        session.execute(
            insert(Area),
            [
                {"code": code, "name": f"名{code[6:] or '县'}", "level": level, "source": "", "loaded_at": now}
                | bounds_of(outline)
                for code, level, outline in areas
            ],
        )
        self._create_officers(session, now)

    def _create_officers(self, session: Session, now: dt.datetime) -> None:
        people = self.scale.officers
        counts = [
            (CITY, "city", 1),
            (COUNTY, "leader", max(1, people // 130)),
            (COUNTY, "county", max(3, people // 16)),
        ]
        per_township = max(2, round(0.18 * people / self.scale.townships))
        counts += [(f"{COUNTY}{town + 1:03d}", "township", per_township) for town in range(self.scale.townships)]
        left = max(len(self.villages), people - sum(count for *_, count in counts))
        for number in range(left):
            counts.append((self.villages[number % len(self.villages)].code, "village", 1))
        for code, role, count in counts:
            for _ in range(count):
                self.hire(session, role, code, now)

    def hire(self, session: Session, role: str, code: str, now: dt.datetime) -> Officer:
        """Add a person with habits of their own."""
        self._serial += 1
        login = f"{role[:2]}{self._serial:04d}"
        chief = role == "county" and not any(officer.role == "county" for officer in self.officers)
        user = add_user(
            session, login=login, name=f"人{self._serial}", role=role, code=code, now=now, administrator=chief
        )
        away: set[dt.date] = set()
        for _ in range(self.rng.choice([0, 1, 1, 2, 3])):
            start = self.first_day + dt.timedelta(days=self.rng.randrange(self.scale.days))
            length = self.rng.choice([1, 2, 3, 5, 5, 15])
            away |= {start + dt.timedelta(days=number) for number in range(length)}
        late = self.rng.choice([0.02, 0.05, 0.05, 0.1, 0.35])
        officer = Officer(login, role, code, late, self.rng.choice([0.0, 0.02, 0.06]), away, viewer_of(user))
        self.officers.append(officer)
        self.__dict__.pop("_by_place", None)
        return officer

    def replace(self, session: Session, officer: Officer, now: dt.datetime) -> Officer:
        """End a person's account and hire a successor in the same place."""
        user = user_by_login(session, officer.login)
        assert user is not None
        user.active = officer.active = False
        end_sessions(session, user.id)
        return self.hire(session, officer.role, officer.code, now)

    @cached_property
    def _by_place(self) -> dict[tuple[str, str], list[Officer]]:
        found: dict[tuple[str, str], list[Officer]] = {}
        for officer in self.officers:
            found.setdefault((officer.role, officer.code), []).append(officer)
        return found

    def acting(self, role: str, code: str, day: dt.date, besides: str = "") -> Officer | None:
        """Return somebody of a role who works on a day and answers for an area; None: nobody is there."""
        digits = {"village": 12, "township": 9, "county": 6, "city": 4, "leader": 6}[role]
        there = [
            officer
            for officer in self._by_place.get((role, code[:digits]), ())
            if officer.login != besides and officer.present(day)
        ]
        return self.rng.choice(there) if there else None

"""State machine of an alert (``configs/states.yaml``): transitions with their roles, evidence and deadlines."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache, cached_property
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, Field, field_validator, model_validator

from enforcement.correction import closing_obstacle, parse_correction
from enforcement.settings import BilingualName, StrictModel, read_settings
from errors import SettingsError, TubanError

Category = Literal["open", "correcting", "suppressed", "closed", "rejected", "transient", "gone"]
"""Treatment of an alert in a state; described in ``configs/states.yaml``."""

NAME = Field(pattern="^[a-z][a-z_]*$", max_length=20)


class NotAllowed(TubanError):  # noqa: N818  (a rejected request, not a malfunction)
    """The state table does not allow this transition for this person with this evidence."""


class Role(BilingualName):
    """Role of a person.

    Attributes:
        escalates: the role that also sees the overdue alerts of this one.
        views_only: the role sees everything in its area and changes nothing.
        shared_only: the role sees only what was shared with its body (:mod:`enforcement.sharing`), whatever its area.
    """

    escalates: str | None = None
    views_only: bool = False
    shared_only: bool = False


class State(BilingualName):
    """One state. Earlier versions called the category ``means``; files with that key are still read."""

    category: Annotated[Category, Field(validation_alias=AliasChoices("category", "means"))]


class TransitionRule(StrictModel):
    """Allowed transition from any of ``from_states`` to ``to``. The fields are described in ``configs/states.yaml``."""

    from_states: Annotated[tuple[str, ...], Field(alias="from", min_length=1)]
    to: str
    by: Annotated[tuple[str, ...], Field(min_length=1)]
    evidence: tuple[str, ...] = ()
    within: Annotated[int | None, Field(ge=0)] = None
    not_by: str | None = None
    balanced: bool = False
    zh: str = ""
    en: str = ""

    @field_validator("from_states", mode="before")
    @classmethod
    def _as_list(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value


class StepPath(StrictModel):
    """Several steps by one button. The fields are described in ``configs/states.yaml``."""

    from_state: Annotated[str, Field(alias="from")]
    via: Annotated[tuple[str, ...], Field(min_length=1)]
    to: str
    replaces: bool = True
    judges: bool = False
    zh: str = ""
    en: str = ""

    @property
    def states(self) -> tuple[str, ...]:
        """The states that are entered, in order."""
        return (*self.via, self.to)


class StateTable(StrictModel):
    """All of ``configs/states.yaml``."""

    roles: dict[str, Role]
    initial: str
    states: dict[Annotated[str, NAME], State]
    transitions: tuple[TransitionRule, ...]
    paths: tuple[StepPath, ...] = ()

    @model_validator(mode="after")
    def _validate_references(self) -> StateTable:
        for rule in self.transitions:
            for state in (*rule.from_states, rule.to, *([rule.not_by] if rule.not_by else [])):
                if state not in self.states:
                    raise ValueError(f"a transition names the state {state}, which is not listed")
            for name in rule.by:
                if name not in self.roles:
                    raise ValueError(f"the transition to {rule.to} names the role {name}, which is not listed")
                if self.roles[name].views_only:
                    raise ValueError(f"the transition to {rule.to} names the role {name}, which changes nothing")
        for name, role in self.roles.items():
            if role.escalates is not None and role.escalates not in self.roles:
                raise ValueError(f"the role {name} escalates to {role.escalates}, which is not listed")
        if self.initial not in self.states or self.states[self.initial].category != "open":
            raise ValueError(f"the initial state {self.initial} is not listed, or is not open")
        pairs = [(state, rule.to) for rule in self.transitions for state in rule.from_states]
        if duplicates := sorted({pair for pair in pairs if pairs.count(pair) > 1}):
            raise ValueError(f"listed twice: {', '.join(' → '.join(pair) for pair in duplicates)}")
        reachable = {self.initial} | {to for _, to in pairs}
        for path in self.paths:
            for pair in pairwise((path.from_state, *path.states)):
                if pair not in pairs:
                    raise ValueError(f"a path contains the transition {' → '.join(pair)}, which is not listed")
            if (path.from_state, path.to) in pairs:
                raise ValueError(f"{path.from_state} → {path.to} is both a path and a transition")
        if unreachable := sorted(set(self.states) - reachable):
            raise ValueError(f"no transition ends in {', '.join(unreachable)}")
        return self

    @cached_property
    def _rules(self) -> dict[tuple[str, str], TransitionRule]:
        """Rules by (from state, to state)."""
        return {(state, rule.to): rule for rule in self.transitions for state in rule.from_states}

    def rule(self, from_state: str, to_state: str) -> TransitionRule | None:
        """Return the rule of a transition; None: it is not listed."""
        return self._rules.get((from_state, to_state))

    def path(self, from_state: str, to_state: str) -> StepPath | None:
        """Return the path of several steps from one state to another; None: there is none."""
        return next((path for path in self.paths if (path.from_state, path.to) == (from_state, to_state)), None)

    @cached_property
    def open(self) -> frozenset[str]:
        """States of alerts that require work."""
        return frozenset(name for name, state in self.states.items() if state.category in ("open", "correcting"))

    @cached_property
    def closed(self) -> frozenset[str]:
        """All other states: closed, rejected, suppressed, merged, split."""
        return frozenset(self.states) - self.open

    def category(self, state: str) -> Category:
        """Return the category of a state.

        Raises:
            SettingsError: the table has no such state.
        """
        if state not in self.states:
            raise SettingsError(
                f"An alert is in the state {state!r}, which is missing in configs/states.yaml: it lists "
                f"{', '.join(self.states)}. Restore the state, or move the alert to another one with the former table."
            )
        return self.states[state].category

    def is_rejected(self, state: str) -> bool:
        """Whether a person found that there was no change."""
        return self.category(state) == "rejected"

    def days_allowed(self, state: str) -> int | None:
        """Return the shortest deadline in working days of all transitions from ``state``; None: no deadline."""
        days = [rule.within for (start, _), rule in self._rules.items() if start == state and rule.within is not None]
        return min(days, default=None)

    def allowed_targets(self, state: str, roles: str | Collection[str]) -> list[str]:
        """List the states to which a person with these roles may move an alert in ``state``, in the table's order."""
        held = {roles} if isinstance(roles, str) else set(roles)
        return [to for (start, to), rule in self._rules.items() if start == state and held.intersection(rule.by)]

    def acting_role(self, from_state: str, to_state: str, roles: Sequence[str]) -> str:
        """Return the first of a person's roles that may make a transition; the first one if none may."""
        rule = self._rules.get((from_state, to_state))
        return next((role for role in roles if rule is not None and role in rule.by), roles[0])

    def views_only(self, roles: Iterable[str]) -> bool:
        """Whether a person with these roles changes nothing."""
        return all(name in self.roles and self.roles[name].views_only for name in roles)

    def shared_only(self, roles: Iterable[str]) -> bool:
        """Whether a person with these roles sees only what was shared with their body; one such role suffices."""
        return any(name in self.roles and self.roles[name].shared_only for name in roles)

    def verb(self, from_state: str, to_state: str, language: str) -> str:
        """Return the words on a transition's button in a language, ``zh`` or ``en``: a verb, else the state's name."""
        found = self._rules.get((from_state, to_state)) or self.path(from_state, to_state)
        return str(getattr(found, language, "") or getattr(self.states[to_state], language))

    def check_transition(
        self,
        from_state: str,
        to_state: str,
        role: str,
        evidence: Mapping[str, Any] | None = None,
        *,
        who: str = "",
        history: Sequence[tuple[str, str]] = (),
    ) -> TransitionRule:
        """Return the rule of a transition if the transition is allowed.

        Args:
            from_state: current state; "" for a new alert, which any role may move to the initial state.
            to_state: requested state.
            role: role of the person, or ``system``.
            evidence: evidence by name; None, "" and empty containers count as missing.
            who: login of the person.
            history: (state entered, person) of the previous transitions, oldest first.

        Raises:
            NotAllowed: the message lists the allowed transitions or the missing evidence.
        """
        if role not in self.roles:
            raise NotAllowed(f"Unknown role {role!r}; the roles are {', '.join(self.roles)}.")
        if from_state == "" and to_state == self.initial:
            return TransitionRule.model_validate({"from": [""], "to": to_state, "by": list(self.roles)})
        rule = self._rules.get((from_state, to_state))
        if rule is None or role not in rule.by:
            raise self._not_listed(from_state, to_state, role)
        provided = evidence or {}
        if missing := [name for name in rule.evidence if provided.get(name) in (None, "", [], {}, ())]:
            raise NotAllowed(
                f"{from_state} → {to_state} requires missing evidence: {', '.join(missing)}.",
                "step.evidence",
                to=self._chinese_name(to_state),
            )
        excluded = next((person for state, person in reversed(history) if state == rule.not_by), None)
        if rule.balanced:
            self._check_balance(f"{from_state} → {to_state}", provided, who, excluded)
        if excluded is not None and excluded == who:
            raise NotAllowed(
                f"{who} moved this alert to {rule.not_by}: {from_state} → {to_state} requires another person.",
                "step.another_person",
                who=who,
                before=self._chinese_name(rule.not_by or ""),
                to=self._chinese_name(to_state),
            )
        return rule

    def _not_listed(self, from_state: str, to_state: str, role: str) -> NotAllowed:
        targets = self.allowed_targets(from_state, role)
        allowed = f"; allowed: {', '.join(targets)}" if targets else ""
        return NotAllowed(
            f"The role {role} cannot move an alert from {from_state} to {to_state}{allowed}.",
            "step.not_listed",
            state=self._chinese_name(from_state),
            to=self._chinese_name(to_state),
            role=self.roles[role].zh,
            ways="、".join(map(self._chinese_name, targets)) or "无",
        )

    def _chinese_name(self, state: str) -> str:
        return self.states[state].zh if state in self.states else state

    @staticmethod
    def _check_balance(transition: str, evidence: Mapping[str, Any], who: str, checker: str | None) -> None:
        correction = parse_correction(evidence)
        if correction is None:
            raise NotAllowed(
                f"{transition} requires the areas total_m2, demolished_m2 and regularised_m2, none negative.",
                "step.areas",
            )
        reason = closing_obstacle(correction, agreed=evidence.get("agreed") is True, reviewer=who, checker=checker)
        if reason is not None:
            raise NotAllowed(f"{transition} is not possible: {reason}.", "step.not_closed", reason=reason)


@cache
def read_states(path: Path = Path("states.yaml")) -> StateTable:
    """Read ``configs/states.yaml``, once per process.

    Raises:
        SettingsError: the file is invalid.
    """
    return read_settings(path, StateTable)

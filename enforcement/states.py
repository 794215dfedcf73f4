"""The life of an alert as a table: what may follow what, by whom, with which evidence, by when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from enforcement.correction import correction_of, why_not_closed
from enforcement.settings import Named, Strict, read_checked
from errors import SettingsError, TubanError

Means = Literal["open", "correcting", "suppressed", "closed", "rejected", "gone"]
"""How an alert in a state is treated; told in ``configs/states.yaml``."""

NAME = Field(pattern="^[a-z][a-z_]*$", max_length=20)


class NotAllowed(TubanError):  # noqa: N818  (an answer to the person who asked for the step)
    """An alert may not go from this state to that one, by this person, with this evidence."""


class Role(Named):
    """Who acts; ``escalates`` is the role that an overdue alert is shown to as well."""

    escalates: str | None = None


class State(Named):
    """One state."""

    means: Means


class Step(Strict):
    """One line of the table: from any of ``come_from`` to ``to``. The fields are told in ``configs/states.yaml``."""

    come_from: Annotated[tuple[str, ...], Field(alias="from", min_length=1)]
    to: str
    by: Annotated[tuple[str, ...], Field(min_length=1)]
    evidence: tuple[str, ...] = ()
    within: Annotated[int | None, Field(ge=0)] = None
    not_by: str | None = None
    balanced: bool = False

    @field_validator("come_from", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value


class StateTable(Strict):
    """The whole of ``configs/states.yaml``."""

    roles: dict[str, Role]
    initial: str
    states: dict[Annotated[str, NAME], State]
    transitions: tuple[Step, ...]

    @model_validator(mode="after")
    def _fits_together(self) -> StateTable:
        for step in self.transitions:
            for state in (*step.come_from, step.to, *([step.not_by] if step.not_by else [])):
                if state not in self.states:
                    raise ValueError(f"a transition names the state {state}, which is not listed")
            for role in step.by:
                if role not in self.roles:
                    raise ValueError(f"the transition to {step.to} names the role {role}, which is not listed")
        for name, role_ in self.roles.items():
            if role_.escalates is not None and role_.escalates not in self.roles:
                raise ValueError(f"the role {name} escalates to {role_.escalates}, which is not listed")
        if self.initial not in self.states or self.states[self.initial].means != "open":
            raise ValueError(f"the initial state {self.initial} is not listed, or is not open")
        pairs = [(state, step.to) for step in self.transitions for state in step.come_from]
        if twice := sorted({pair for pair in pairs if pairs.count(pair) > 1}):
            raise ValueError(f"listed twice: {', '.join(' → '.join(pair) for pair in twice)}")
        reached = {self.initial} | {to for _, to in pairs}
        if lost := sorted(set(self.states) - reached):
            raise ValueError(f"no transition points to {', '.join(lost)}")
        return self

    @cached_property
    def _steps(self) -> dict[tuple[str, str], Step]:
        return {(state, step.to): step for step in self.transitions for state in step.come_from}

    @cached_property
    def open(self) -> frozenset[str]:
        """States of alerts that somebody has to work on."""
        return frozenset(name for name, state in self.states.items() if state.means in ("open", "correcting"))

    @cached_property
    def closed(self) -> frozenset[str]:
        """All others: closed, rejected, suppressed, merged, split."""
        return frozenset(self.states) - self.open

    def means(self, state: str) -> Means:
        """How an alert in ``state`` is treated.

        Raises:
            SettingsError: the table has no such state.
        """
        if state not in self.states:
            raise SettingsError(
                f"An alert is in the state {state!r}, which configs/states.yaml does not have: it lists "
                f"{', '.join(self.states)}. Put the state back, or move the alert with the table that had it."
            )
        return self.states[state].means

    def is_rejected(self, state: str) -> bool:
        """Whether a person said that nothing is there."""
        return self.means(state) == "rejected"

    def within(self, state: str) -> int | None:
        """Working days that an alert may stay in ``state``: the shortest of the ways out; None: no limit."""
        days = [step.within for (start, _), step in self._steps.items() if start == state and step.within is not None]
        return min(days, default=None)

    def ways_out(self, state: str, role: str) -> list[str]:
        """States to which ``role`` may move an alert that is in ``state``, in the table's order."""
        return [to for (start, to), step in self._steps.items() if start == state and role in step.by]

    def step(
        self,
        from_state: str,
        to_state: str,
        role: str,
        evidence: Mapping[str, Any] | None = None,
        *,
        who: str = "",
        history: Sequence[tuple[str, str]] = (),
    ) -> Step:
        """Return the table's line for a step, if it may be taken.

        Args:
            from_state: where the alert is; "" for one that has no state yet: any role may bring it into the initial one.
            to_state: where it is to go.
            role: role of the person, or ``system``.
            evidence: what is given with the step; a name counts as given when its value is not None, "" or empty.
            who: the person.
            history: (state entered, person) of the steps so far, oldest first.

        Raises:
            NotAllowed: the message says what the table would allow or what is missing.
        """
        if role not in self.roles:
            raise NotAllowed(f"No role is called {role!r}; there are {', '.join(self.roles)}.")
        if from_state == "" and to_state == self.initial:
            return Step.model_validate({"from": [""], "to": to_state, "by": list(self.roles)})
        step = self._steps.get((from_state, to_state))
        if step is None or role not in step.by:
            ways = self.ways_out(from_state, role)
            can = f"; {role} can make it {', '.join(ways)}" if ways else ", nor anything else"
            raise NotAllowed(
                f"An alert that is {from_state} cannot be made {to_state} by {role}{can}.",
                "step.not_listed",
                state=self._said(from_state),
                to=self._said(to_state),
                role=self.roles[role].zh,
                ways="、".join(map(self._said, ways)) or "无",
            )
        given = evidence or {}
        if missing := [name for name in step.evidence if given.get(name) in (None, "", [], {}, ())]:
            raise NotAllowed(
                f"{from_state} → {to_state} needs evidence that was not given: {', '.join(missing)}.",
                "step.evidence",
                to=self._said(to_state),
            )
        before = next((person for state, person in reversed(history) if state == step.not_by), None)
        if step.balanced:
            self._check_balance(f"{from_state} → {to_state}", given, who, before)
        if before is not None and before == who:
            raise NotAllowed(
                f"{who} made this alert {step.not_by}: {from_state} → {to_state} needs another person.",
                "step.another_person",
                who=who,
                before=self._said(step.not_by or ""),
                to=self._said(to_state),
            )
        return step

    def _said(self, state: str) -> str:
        """Its Chinese name, for a message in that language."""
        return self.states[state].zh if state in self.states else state

    @staticmethod
    def _check_balance(step: str, given: Mapping[str, Any], who: str, checker: str | None) -> None:
        correction = correction_of(given)
        if correction is None:
            raise NotAllowed(
                f"{step} needs the areas total_m2, demolished_m2 and regularised_m2, none below 0.", "step.areas"
            )
        reason = why_not_closed(correction, agreed=given.get("agreed") is True, reviewer=who, checker=checker)
        if reason is not None:
            raise NotAllowed(f"{step} is not possible: {reason}.", "step.not_closed", reason=reason)


@cache
def read_states(path: Path = Path("states.yaml")) -> StateTable:
    """Read ``configs/states.yaml``, once for each process.

    Raises:
        SettingsError: it cannot be used.
    """
    return read_checked(path, StateTable)

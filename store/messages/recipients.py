"""Who has to act on an alert, and who is told: people by role and area."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from enforcement.deadlines.state_deadlines import LEVEL_DIGITS, level_above, owner_of, read_deadline_rules
from enforcement.states import read_states
from store.access.rights import may_see
from store.access.users import viewer_of
from store.schema.tables import AlertRow
from store.schema.user_tables import User


class People:
    """Active people of one transaction, looked up by role and area; the table is read once."""

    def __init__(self, session: Session, code: str | None = None) -> None:
        """Read the people.

        Args:
            session: any transaction.
            code: of the only area that is asked for: a step of one alert concerns few of a county's people; None: any.
        """
        query = select(User).where(User.active).order_by(User.id)
        if code is not None:
            query = query.where(User.code.in_([code[:digits] for digits in range(len(code) + 1)]))
        users = session.scalars(query).all()
        self._all = [(user, viewer_of(user)) for user in users]

    def of_role(self, role: str, code: str) -> list[User]:
        """List the people who act in a role and may see the area ``code``; of several levels, the most specific."""
        fitting = [(user, viewer) for user, viewer in self._all if role in viewer.roles and may_see(viewer, code)]
        nearest = max((len(viewer.code) for _, viewer in fitting), default=0)
        return [user for user, viewer in fitting if len(viewer.code) == nearest]

    def responsible(self, role: str, alert: AlertRow) -> tuple[str, list[User]]:
        """Return who has to act on an alert: its assignee, else the people of ``role``, else those above.

        Returns:
            The role that answers for it, and its people; administrators of all areas if no level has anybody.
        """
        assigned = self.by_login(alert.assignee, alert.grid_code) if alert.assignee else None
        if assigned is not None and role in assigned[1]:
            return role, [assigned[0]]
        return self.at_or_above(role, alert.grid_code)

    def at_or_above(self, role: str, code: str) -> tuple[str, list[User]]:
        """Return the people of a role for an area, or of the next level that has anybody."""
        table, level = read_states(), role
        while True:
            found = self.of_role(level, code)
            above = level_above(level, table)
            if found or above is None:
                break
            level = above
        return level, found or self.administrators(code)

    def owners(self, alert: AlertRow) -> tuple[str, list[User]]:
        """Return the role and the people who have to act on an open alert in its state."""
        return self.responsible(owner_of(alert.state, read_states(), read_deadline_rules()), alert)

    def administrators(self, code: str) -> list[User]:
        """List the administrators whose area contains ``code``."""
        return [user for user, viewer in self._all if viewer.administrator and may_see(viewer, code)]

    def calendar_editors(self) -> list[User]:
        """List the administrators of a county or above, who may edit the calendar."""
        return [
            user for user, viewer in self._all if viewer.administrator and len(viewer.code) <= LEVEL_DIGITS["county"]
        ]

    def by_login(self, login: str, code: str) -> tuple[User, tuple[str, ...]] | None:
        """Return an active user who may see ``code``, with their roles."""
        for user, viewer in self._all:
            if user.login == login and may_see(viewer, code):
                return user, viewer.roles
        return None

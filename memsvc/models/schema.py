"""What a database says about its own schema."""

from __future__ import annotations

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from memsvc.models.base import Base


class SchemaWindow(Base):
    """One row: the last revision that was applied, and the head of the oldest release that works on what it left."""

    __tablename__ = "schema_window"

    revision: Mapped[str] = mapped_column(String(32), primary_key=True)
    oldest_code: Mapped[str] = mapped_column(String(32))

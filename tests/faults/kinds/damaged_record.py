"""What a run is, on which data, or what was asked of it, is not what was written."""

from __future__ import annotations

from pathlib import Path

from faults.case import Case
from faults.kinds.damaged_unit import begin_and_leave
from faults.kinds.kind import Kind, corrupt


class DamagedRecord(Kind):
    """run.json, samples.parquet or a plan; it is refused by its name, and never written anew."""

    said = r"run\.json|samples\.parquet|/plans/|another run|is a run (with|of)|format"

    def befall(self, case: Case) -> bool:
        begin_and_leave(case)
        out = Path(case.place.out)
        files = [*out.glob("run.json"), *out.glob("samples.parquet"), *out.glob("plans/*.json")]
        if not files:
            return False
        # Twice as often as the others together.
        self.file = case.generator.choice([*files, files[0], files[0]])
        self.right = self.file.read_bytes()
        foreign = case.ground.source / self.file.relative_to(out)
        other = foreign.read_bytes() if foreign.exists() else b""
        data, how = corrupt(self.right, case.generator, other)
        self.file.write_bytes(data)
        case.verdict.notes.append(f"{self.file.name} {how}")
        before = case.look()
        case.ended.append(case.begin().wait())
        if self.file.read_bytes() != data:
            case.verdict.complaints.append(f"{self.file.name} was written anew")
        reference = case.reference.look
        for look in (before, case.look()):
            exported = look.exported
            if exported and look.keys >= reference.keys and exported != reference.exported:
                case.verdict.complaints.append(f"{self.file.name} {how}: the export differs")
        return True

    def undo(self, case: Case) -> None:
        if self.file is not None:
            self.file.write_bytes(self.right)

    file: Path | None = None
    right = b""

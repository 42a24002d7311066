"""Ask the evidence in SQL, and take a subset of it elsewhere.

Everything between the review folder and the analysis is a view, so a question is a query; a subset is
written with a data dictionary and says where it comes from.
"""

import tempfile
from pathlib import Path

import evidence


def main() -> None:
    """Print how the numbers of the maternal-diet review were got, and what could not be used."""
    with evidence.open("maternal-diet") as db:
        print(
            db.sql("select derivation, count(*) as n from measurement_standard group by all order by n desc")
        )
        print(db.sql("select reason, count(*) as n from exclusion group by all order by n desc limit 5"))
        contrasts = db.sql("select * from contrast where measure = 'SMD' and outcome = 'anxiety'").df()
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "anxiety.csv"
        contrasts.to_csv(target, index=False)
        print(f"{len(contrasts)} contrasts, {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()

//! What each `acks` loses is what is expected, and the numbers are as they were.

use kafka_sim::report::{self, Style};
use kafka_sim::run::matrix::golden::Expected;
use kafka_sim::run::matrix::{Agreement, Matrix, matrix};
use kafka_sim::run::{Jobs, Stop};

/// How many seeds each cell is given: enough for each that must be seen.
const SEEDS: u64 = 8;

fn measured() -> Matrix {
    matrix(1..=SEEDS, Jobs::default(), &Stop::default(), |_| {})
}

#[test]
fn what_must_never_be_is_zero_and_what_must_be_is_not() {
    let matrix = measured();
    for cell in &matrix.cells {
        assert_eq!(cell.ran, SEEDS, "{cell:?}");
        assert_eq!(cell.failed, None, "{cell:?}");
        assert_eq!(cell.loss, Agreement::Agrees, "{cell:?}");
        assert_eq!(cell.lost.records > 0, cell.golden.loss == Expected::Sometimes, "{cell:?}");
        match cell.golden.duplicates {
            Expected::Never => assert_eq!(cell.duplicated.records, 0, "{cell:?}"),
            Expected::Sometimes => assert!(cell.duplicated.records > 0, "{cell:?}"),
            Expected::Unshown { .. } => {
                assert_eq!(cell.duplicates, Agreement::Explained, "{cell:?}")
            }
        }
    }
    assert_eq!(matrix.worst(), None);
    let text = report::matrix_text(&matrix, &[], Style::Plain);
    insta::with_settings!({
        snapshot_path => "../../snapshots",
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, {
        insta::assert_snapshot!("matrix", text);
    });
}

//! The structures of Parquet's metadata (parquet.thrift), as far as polars reads them.

use super::thrift::{Field, Kind};
use Kind::{Bool, Byte, Bytes, List, Number, Struct};

const EMPTY: &[Field] = &[];

const STATISTICS: &[Field] = &[(1, Bytes), (2, Bytes), (3, Number), (4, Number), (5, Bytes), (6, Bytes), (7, Bool), (8, Bool)];

/// The headers of pages; those of their kinds are the fields 5 to 8.
pub(super) const DATA_PAGE: &[Field] = &[(1, Number), (2, Number), (3, Number), (4, Number), (5, Struct(STATISTICS))];
pub(super) const DICTIONARY_PAGE: &[Field] = &[(1, Number), (2, Number), (3, Bool)];
pub(super) const DATA_PAGE_V2: &[Field] =
    &[(1, Number), (2, Number), (3, Number), (4, Number), (5, Number), (6, Number), (7, Bool), (8, Struct(STATISTICS))];

const TIME_UNIT: &[Field] = &[(1, Struct(EMPTY)), (2, Struct(EMPTY)), (3, Struct(EMPTY))];
const TIME: &[Field] = &[(1, Bool), (2, Struct(TIME_UNIT))];
const DECIMAL: &[Field] = &[(1, Number), (2, Number)];
const INTEGER: &[Field] = &[(1, Byte), (2, Bool)];
const LOGICAL_TYPE: &[Field] = &[
    (1, Struct(EMPTY)),
    (2, Struct(EMPTY)),
    (3, Struct(EMPTY)),
    (4, Struct(EMPTY)),
    (5, Struct(DECIMAL)),
    (6, Struct(EMPTY)),
    (7, Struct(TIME)),
    (8, Struct(TIME)),
    (10, Struct(INTEGER)),
    (11, Struct(EMPTY)),
    (12, Struct(EMPTY)),
    (13, Struct(EMPTY)),
    (14, Struct(EMPTY)),
    (15, Struct(EMPTY)),
];

/// Field 5 is the number of the elements below it.
pub(super) const SCHEMA_ELEMENT: &[Field] = &[
    (1, Number),
    (2, Number),
    (3, Number),
    (4, Bytes),
    (5, Number),
    (6, Number),
    (7, Number),
    (8, Number),
    (9, Number),
    (10, Struct(LOGICAL_TYPE)),
];

const COLUMN_METADATA: &[Field] = &[
    (1, Number),
    (2, List(&Number)),
    (3, List(&Bytes)),
    (4, Number),
    (5, Number),
    (6, Number),
    (7, Number),
    (9, Number),
    (10, Number),
    (11, Number),
    (12, Struct(STATISTICS)),
    (14, Number),
    (15, Number),
];
pub(super) const COLUMN_CHUNK: &[Field] =
    &[(1, Bytes), (2, Number), (3, Struct(COLUMN_METADATA)), (4, Number), (5, Number), (6, Number), (7, Number)];
pub(super) const SORTING_COLUMN: &[Field] = &[(1, Number), (2, Bool), (3, Bool)];
/// Field 1 is the list of its column chunks, field 4 that of its sorting columns.
pub(super) const ROW_GROUP: &[Field] = &[
    (1, List(&Struct(COLUMN_CHUNK))),
    (2, Number),
    (3, Number),
    (4, List(&Struct(SORTING_COLUMN))),
    (5, Number),
    (6, Number),
    (7, Number),
];

pub(super) const KEY_VALUE: &[Field] = &[(1, Bytes), (2, Bytes)];
pub(super) const COLUMN_ORDER: &[Field] = &[(1, Struct(EMPTY)), (2, Struct(EMPTY))];
/// Field 2 is the list of schema elements, 4 of row groups, 5 of texts by key, 7 of column orders.
pub(super) const FILE: &[Field] = &[
    (1, Number),
    (2, List(&Struct(SCHEMA_ELEMENT))),
    (3, Number),
    (4, List(&Struct(ROW_GROUP))),
    (5, List(&Struct(KEY_VALUE))),
    (6, Bytes),
    (7, List(&Struct(COLUMN_ORDER))),
];

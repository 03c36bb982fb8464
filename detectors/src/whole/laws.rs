//! What holds for every series.

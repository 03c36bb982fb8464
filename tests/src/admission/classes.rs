//! O8: predicts go on while every thread and place of the fits is taken.

use super::*;
use crate::server::{history, point};

const FITS: usize = 8;

#[tokio::test]
async fn predicts_go_on_beside_more_fits_than_there_are_threads() {
    let server = busy_server(&[]).await;
    server.fit("light", &history(&[1.0, 2.0, 4.0])).await.ok();
    let mut fits = slow_fits(&server, FITS).await;
    for _ in 0..20 {
        server.predict("light", &point(4, 2.0)).await.ok();
        server.predict(DEAR, &columns(3)).await.ok();
    }
    // The control: the fits are slow enough to be still there, one on the only thread and others behind it.
    let answered = std::iter::from_fn(|| fits.try_join_next()).count();
    assert!(answered + 1 < FITS, "{answered} of {FITS} fits were over");
    while let Some(status) = fits.join_next().await {
        assert_eq!(status.expect("no panic"), 200, "fits go on, too");
    }
}

//! `DELETE /series/{series_id}`: all that belongs to a series goes.

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use api::{Code, FieldError, Loc, Rejection};

use super::scoped::Series;
use super::{Call, convert};

pub(super) async fn delete(
    call: &Call<'_>,
    series: &Series<'_>,
) -> Result<HttpResponse, Rejection> {
    api::query::read(call.request.query_string(), [])?;
    // A series has no entity tag: whoever sends one means to be protected, and would not be.
    if call.request.headers().contains_key(header::IF_MATCH) {
        let place = [Loc::from("header"), Loc::from("If-Match")];
        let error = FieldError::new(place, "a series has no entity tag to be compared with");
        return Err(Rejection::one(Code::InvalidHeader, error));
    }
    let deleted = call.state.registry()?.delete_series(series.name()).await;
    deleted.map_err(|error| convert::rejection(&error))?;
    Ok(HttpResponse::new(StatusCode::NO_CONTENT))
}

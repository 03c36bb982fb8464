//! `GET /plot?series_id=&version=`: the training data of a version, to look at.

use actix_web::HttpResponse;
use actix_web::http::header;
use api::{Code, FieldError, Loc, Rejection, SeriesId, VersionSelector};

use super::{Call, convert, plot_page};
use crate::admission::{Class, Tenant, Ticket};

pub(super) async fn handle(call: &Call<'_>) -> Result<HttpResponse, Rejection> {
    let [series, version] =
        api::query::read(call.request.query_string(), ["series_id", "version"])?;
    let series = series.ok_or_else(|| {
        let error = FieldError::new(
            [Loc::from("query"), Loc::from("series_id")],
            "`series_id` is missing",
        );
        Rejection::one(Code::MissingField, error)
    })?;
    let series = SeriesId::parse_at(&series, "query")?;
    let selector = version.map_or(Ok(VersionSelector::Latest), |text| {
        VersionSelector::parse(&text)
    })?;
    let registry = call.state.registry()?;
    let (model, points) = registry
        .training(series.as_str(), selector)
        .await
        .map_err(|error| convert::rejection(&error))?;
    let nonce = uuid::Uuid::new_v4().simple().to_string();
    // The page runs its own inline script and nothing else: no request leaves it.
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'self'"
    );
    let name = series.as_str().to_owned();
    let mut ticket = Ticket::new(Class::Fit, Tenant::ALL, None);
    let html = call
        .state
        .compute
        .run(&mut ticket, move || {
            plot_page::render(&name, &model, &points, &nonce)
        })
        .await
        .map_err(convert::compute_rejection)?;
    Ok(HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CONTENT_SECURITY_POLICY, policy))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .body(html))
}

//! `GET /plot?series_id=&version=`: the training data of a version, to look at.

use actix_web::HttpResponse;
use actix_web::body::BoxBody;
use actix_web::http::{StatusCode, header};
use actix_web::web::Payload;
use api::{Code, FieldError, Loc, Rejection, SeriesId, VersionSelector};

use std::sync::Arc;

use super::held::Held;
use super::scoped::Series;
use super::{Call, admit, convert, plot_page};
use crate::admission::Class;

/// What a point takes on its way to a page: the columns, their text, and the page.
const BYTES_A_POINT: usize = 128;

pub(super) async fn handle(call: &Call<'_>, payload: Payload) -> Result<HttpResponse, Rejection> {
    let [series, version] =
        api::query::read(call.request.query_string(), ["series_id", "version"])?;
    let series = series.ok_or_else(|| {
        let error = FieldError::new(
            [Loc::from("query"), Loc::from("series_id")],
            "`series_id` is missing",
        );
        Rejection::one(Code::MissingField, error)
    })?;
    let series = call.series(SeriesId::parse_at(&series, "query")?)?;
    let selector = version.map_or(Ok(VersionSelector::Latest), |text| {
        VersionSelector::parse(&text)
    })?;
    let page = page(call, payload, &series, selector).await;
    page.map_err(|rejection| series.in_callers_words(rejection))
}

async fn page(
    call: &Call<'_>,
    mut payload: Payload,
    series: &Series<'_>,
    selector: VersionSelector,
) -> Result<HttpResponse, Rejection> {
    let registry = call.state.registry()?;
    let mut ticket = admit::admit(call, &mut payload, Class::Fit, || true).await?;
    let (model, points) = registry
        .training(series.name(), selector)
        .await
        .map_err(|error| convert::rejection(&error))?;
    let gate = call.state.compute.gate(Class::Fit);
    let memory = &call.state.admission.memory;
    let reserved = memory.reserve(points.values.len() * BYTES_A_POINT);
    let reserved = reserved.inspect_err(|refusal| gate.stats().refuse(*refusal));
    ticket.memory = Some(Arc::new(reserved.map_err(convert::refusal)?));
    let nonce = uuid::Uuid::new_v4().simple().to_string();
    // The page runs its own inline script and nothing else: no request leaves it.
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'self'"
    );
    let name = series.id().to_owned();
    let html = call
        .state
        .compute
        .run(&mut ticket, move || {
            plot_page::render(&name, &model, &points, &nonce)
        })
        .await
        .map_err(convert::compute_rejection)?;
    let page = BoxBody::new(Held::new(html.into(), &ticket));
    let mut reply = HttpResponse::new(StatusCode::OK).set_body(page);
    let policy = header::HeaderValue::from_str(&policy).expect("the policy is visible ASCII");
    for (name, value) in [
        (
            header::CONTENT_TYPE,
            header::HeaderValue::from_static("text/html; charset=utf-8"),
        ),
        (header::CONTENT_SECURITY_POLICY, policy),
        (
            header::X_CONTENT_TYPE_OPTIONS,
            header::HeaderValue::from_static("nosniff"),
        ),
    ] {
        reply.headers_mut().insert(name, value);
    }
    Ok(reply)
}

//! The one place where the series that a caller names gets the name under which it is kept.
//!
//! Series of a tenant are kept as `<tenant>/<id>`: `/` is in no id and in no tenant's name, so that no two callers meet
//! at one name unless they have one tenant. Series of the tenant `default`, and all of a server without keys, are
//! kept under their ids. Registry and store see names alone; a series of another tenant is not refused but is not
//! there, by the same path as one that never was.

use std::borrow::Cow;

use api::{Code, Rejection, SeriesId};
use compact_str::{CompactString, format_compact};

use super::Call;
use super::authenticate::Caller;

/// A series as the caller names it, and as it is kept.
#[derive(Clone, Debug)]
pub(super) struct Series<'a> {
    id: Cow<'a, str>,
    /// None if it is kept under its id.
    name: Option<CompactString>,
}

impl Series<'_> {
    /// The id as the caller has it: for replies.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// The name under which it is kept: for registry and store.
    pub(super) fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.id)
    }

    /// The same, for what outlives the request.
    pub(super) fn into_owned(self) -> Series<'static> {
        Series {
            id: Cow::Owned(self.id.into_owned()),
            name: self.name,
        }
    }

    /// The refusal of a request for this series, with its id where registry or store have told its name.
    pub(super) fn in_callers_words(&self, mut rejection: Rejection) -> Rejection {
        let Some(name) = self.name.as_deref() else {
            return rejection;
        };
        let errors = rejection.errors.iter_mut().map(|error| &mut error.msg);
        for text in errors.chain([&mut rejection.detail]) {
            if text.contains(name) {
                *text = text.replace(name, &self.id);
            }
        }
        rejection
    }
}

/// How the series of one caller are named, for a request that names them one after the other.
#[derive(Clone, Debug)]
pub(super) struct Naming(Option<CompactString>);

impl Naming {
    /// The series `id` of the caller.
    pub(super) fn series<'a>(&self, id: SeriesId<'a>) -> Series<'a> {
        Series::of(self.0.as_deref(), id)
    }
}

impl<'a> Series<'a> {
    fn of(prefix: Option<&str>, id: SeriesId<'a>) -> Self {
        let id = id.as_str();
        Self {
            id: Cow::Borrowed(id),
            name: prefix.map(|tenant| format_compact!("{tenant}/{id}")),
        }
    }
}

impl Call<'_> {
    /// The series `id` of the caller.
    ///
    /// # Errors
    /// As [`Call::naming`].
    pub(super) fn series<'a>(&self, id: SeriesId<'a>) -> Result<Series<'a>, Rejection> {
        Ok(Series::of(self.prefix()?, id))
    }

    /// How the caller's series are named.
    ///
    /// # Errors
    /// `internal` of a request for which nobody had to authenticate although there are keys: such a request has no series.
    pub(super) fn naming(&self) -> Result<Naming, Rejection> {
        Ok(Naming(self.prefix()?.map(CompactString::from)))
    }

    /// All series of the caller.
    ///
    /// # Errors
    /// As [`Call::naming`].
    pub(super) fn own_series(&self) -> Result<OwnSeries, Rejection> {
        let scope = self.prefix()?.map(|tenant| format_compact!("{tenant}/"));
        Ok(OwnSeries {
            scope: scope.unwrap_or_default(),
        })
    }

    fn prefix(&self) -> Result<Option<&str>, Rejection> {
        match self.caller {
            Caller::Anybody => Ok(None),
            Caller::Known(identity) => Ok(identity.tenant.prefix()),
            Caller::Unnamed => {
                let words = "a series was asked for and the caller is not known";
                Err(Rejection::new(Code::Internal, words))
            }
        }
    }
}

/// The series of one tenant, none of which has a `/` after the scope.
#[derive(Clone, Debug)]
pub(super) struct OwnSeries {
    scope: CompactString,
}

impl OwnSeries {
    /// What the names of all of them begin with.
    pub(super) fn scope(&self) -> &CompactString {
        &self.scope
    }

    /// The id of the series with this name.
    pub(super) fn id_of<'n>(&self, name: &'n str) -> &'n str {
        name.strip_prefix(self.scope.as_str()).unwrap_or(name)
    }

    /// The name of the series with this id.
    pub(super) fn name_of(&self, id: &str) -> CompactString {
        format_compact!("{}{id}", self.scope)
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use actix_web::web::Data;
    use api::{FieldError, Loc};

    use super::*;
    use crate::admission::Admission;
    use crate::compute::Compute;
    use crate::http::authenticate::UNNAMED;
    use crate::http::stamp::Received;
    use crate::startup::State;

    #[test]
    fn what_is_told_of_a_series_has_the_callers_id() {
        let series = |name: Option<&str>| Series {
            id: Cow::Borrowed("s"),
            name: name.map(CompactString::from),
        };
        let told = "series acme/s version 1 is damaged";
        let error = FieldError::new([Loc::from("path")], told);
        let rejection = Rejection::one(Code::StoredRecordDamaged, error);
        let words = |series: Series<'_>| {
            let told = series.into_owned().in_callers_words(rejection.clone());
            assert!(told.detail.contains(&told.errors[0].msg));
            told.errors[0].msg.clone()
        };
        assert_eq!(
            words(series(Some("acme/s"))),
            "series s version 1 is damaged"
        );
        assert_eq!(
            words(series(None)),
            told,
            "without a tenant nothing is changed"
        );
    }

    /// A resource that anybody may ask for has no way to a series.
    #[test]
    fn who_is_not_known_has_no_series() {
        let state = State::new(Compute::new(1).unwrap(), Admission::new(1, None), 0);
        let (state, request) = (Data::new(state), TestRequest::default().to_http_request());
        let received = Received::now(request.headers());
        let call = |caller| Call {
            request: &request,
            state: &state,
            received: &received,
            caller,
        };
        let id = SeriesId::parse("s").unwrap();
        assert_eq!(call(&UNNAMED).series(id).unwrap_err().code, Code::Internal);
        assert_eq!(call(&Caller::Anybody).series(id).unwrap().name(), "s");
    }
}

//! Every route that reads a body, and where in it a hostile value may stand.

/// A route.
pub(crate) struct Route {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) media_type: &'static str,
    /// A body that is right: an object whose first field is [`Route::field`].
    pub(crate) right: &'static str,
    /// Its first field.
    pub(crate) field: &'static str,
    /// A body with something in the place of a number, around it.
    pub(crate) around_number: (&'static str, &'static str),
    /// As [`Route::around_number`], of a string.
    pub(crate) around_text: (&'static str, &'static str),
}

const JSON: &str = "application/json";

const FIT: Route = Route {
    method: "POST",
    path: "/fit/a",
    media_type: JSON,
    right: r#"{"timestamps":[1,2,3],"values":[1,2,4]}"#,
    field: "timestamps",
    around_number: (r#"{"timestamps":[1,2,3],"values":[1,"#, ",4]}"),
    around_text: (r#"{"timestamps":[1,2,3],"values":[1,2,4],"model":"#, "}"),
};

const PREDICT: Route = Route {
    method: "POST",
    path: "/predict/a",
    media_type: JSON,
    right: r#"{"timestamp":"9","value":1}"#,
    field: "timestamp",
    around_number: (r#"{"timestamp":"9","value":"#, "}"),
    around_text: (r#"{"value":1,"timestamp":"#, "}"),
};

/// All of them.
pub(crate) const ROUTES: [Route; 8] = [
    FIT,
    PREDICT,
    Route {
        right: r#"{"timestamps":["8","9"],"values":[1,2]}"#,
        field: "timestamps",
        around_number: (r#"{"timestamps":[8,9],"values":[1,"#, "]}"),
        around_text: (r#"{"values":[1,2],"timestamps":[8,"#, "]}"),
        ..PREDICT
    },
    Route {
        path: "/update/a",
        ..PREDICT
    },
    Route {
        path: "/update/a",
        media_type: "application/x-ndjson",
        ..PREDICT
    },
    Route {
        path: "/detect",
        around_text: (r#"{"timestamps":[1,2,3],"values":[1,2,4],"timezone":"#, "}"),
        ..FIT
    },
    Route {
        path: "/series/a/versions",
        right: r#"{"from":"online"}"#,
        field: "from",
        around_number: (r#"{"from":"#, "}"),
        around_text: (r#"{"from":"#, "}"),
        ..FIT
    },
    Route {
        method: "PUT",
        path: "/series/a/aliases/champion",
        right: r#"{"version":"1"}"#,
        field: "version",
        around_number: (r#"{"version":"#, "}"),
        around_text: (r#"{"version":"#, "}"),
        ..FIT
    },
];

/// Those that answer lines while they come: no body is too large for them.
pub(crate) const STREAMS: [Route; 2] = [
    Route {
        media_type: "application/x-ndjson",
        ..PREDICT
    },
    Route {
        path: "/predict",
        media_type: "application/x-ndjson",
        right: r#"{"timestamp":"9","series_id":"a","value":1}"#,
        around_number: (r#"{"series_id":"a","timestamp":"9","value":"#, "}"),
        around_text: (r#"{"value":1,"series_id":"a","timestamp":"#, "}"),
        ..PREDICT
    },
];

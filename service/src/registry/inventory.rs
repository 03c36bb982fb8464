//! Which series and versions there are, and how each version was made.

use std::sync::Arc;

use compact_str::CompactString;
use detectors::{Fitted, Summary};

use super::lookup::find;
use super::model::model_digest;
use super::{Registry, RegistryError, ServedModel};
use crate::store::{
    AliasRecord, AsOf, Labels, ListedVersion, Metadata, SeriesFacts, SeriesPage, SeriesQuery,
    StoredVersion, VersionRecord, VersionSelector, VersionsQuery,
};

/// A version without its model and its points.
#[derive(Clone, Debug)]
pub struct VersionFacts {
    /// Its number.
    pub version: u64,
    /// Wall clock of the fit, milliseconds since 1970.
    pub fitted_at_ms: i64,
    /// Points it was fitted on.
    pub points_used: u64,
    /// First timestamp of those points.
    pub trained_from: i64,
    /// Last timestamp of those points.
    pub trained_to: i64,
    /// Labels, parameters, and whether it was imported.
    pub metadata: Metadata,
    /// What the model tells of itself.
    pub summary: Summary,
    /// The envelope's digest over the model's bytes.
    pub digest: [u8; 16],
}

/// A version of a list.
#[derive(Clone, Debug)]
pub struct VersionOfList {
    /// Its number.
    pub version: u64,
    /// Bytes it takes in the store.
    pub bytes: u64,
    /// The version, or what is wrong with its record.
    pub facts: Result<VersionFacts, String>,
}

/// A page of versions.
#[derive(Clone, Debug, Default)]
pub struct VersionsPage {
    /// In the order asked for.
    pub versions: Vec<VersionOfList>,
    /// Whether there are more.
    pub has_more: bool,
    /// All aliases of the series.
    pub aliases: Vec<(CompactString, AliasRecord)>,
}

/// A series.
#[derive(Clone, Debug)]
pub struct SeriesOverview {
    /// Its latest version.
    pub latest: VersionOfList,
    /// Its first version that is there.
    pub first: u64,
    /// How many it has.
    pub versions: u64,
    /// Its labels.
    pub labels: Labels,
    /// Its aliases.
    pub aliases: Vec<(CompactString, AliasRecord)>,
    /// Whether it has an online state.
    pub is_online: bool,
}

impl VersionFacts {
    /// What `record` tells.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the model.
    pub(super) fn of(version: u64, record: VersionRecord) -> Result<Self, String> {
        let fitted = Fitted::decode(&record.model).map_err(|error| error.to_string())?;
        let digest = model_digest(&record.model).map_err(|error| error.to_string())?;
        Ok(Self {
            version,
            fitted_at_ms: record.fitted_at_ms,
            points_used: record.points_used,
            trained_from: record.trained_from,
            trained_to: record.trained_to,
            metadata: record.metadata,
            summary: fitted.summary(),
            digest,
        })
    }
}

impl VersionOfList {
    fn of(listed: ListedVersion) -> Self {
        let version = listed.version;
        let facts = listed.record;
        Self {
            version,
            bytes: listed.bytes,
            facts: facts.and_then(|record| VersionFacts::of(version, record)),
        }
    }
}

impl Registry {
    /// A page of series.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn list(&self, query: SeriesQuery) -> Result<SeriesPage, RegistryError> {
        let store = Arc::clone(&self.store);
        self.reads.run(move || Ok(store.list(&query)?)).await
    }

    /// One series.
    ///
    /// # Errors
    /// When it is not known, a record of it is damaged, or the store cannot be read.
    pub async fn series(&self, series: &str) -> Result<SeriesOverview, RegistryError> {
        let (store, name) = (Arc::clone(&self.store), CompactString::from(series));
        let read = move || {
            let unknown = || RegistryError::UnknownSeries(name.to_string());
            let facts: SeriesFacts = store.series(&name)?.ok_or_else(unknown)?;
            let query = VersionsQuery {
                series: name.clone(),
                after: None,
                is_descending: true,
                limit: 1,
            };
            let mut latest = None;
            store.versions(&query, &mut |listed| {
                latest = Some(VersionOfList::of(listed))
            })?;
            Ok(SeriesOverview {
                latest: latest.ok_or_else(unknown)?,
                first: facts.first,
                versions: facts.versions,
                labels: facts.labels,
                aliases: facts.aliases,
                is_online: facts.is_online,
            })
        };
        self.reads.run(read).await
    }

    /// A page of the versions of a series.
    ///
    /// # Errors
    /// When the series is not known or the store cannot be read.
    pub async fn versions(&self, query: VersionsQuery) -> Result<VersionsPage, RegistryError> {
        let store = Arc::clone(&self.store);
        let read = move || {
            let mut page = VersionsPage::default();
            // One model at a time: each is told of and dropped.
            page.has_more = store.versions(&query, &mut |listed| {
                page.versions.push(VersionOfList::of(listed));
            })?;
            if page.versions.is_empty() && store.series(&query.series)?.is_none() {
                return Err(RegistryError::UnknownSeries(query.series.to_string()));
            }
            page.aliases = store.aliases(&query.series)?;
            Ok(page)
        };
        self.reads.run(read).await
    }

    /// One version.
    ///
    /// # Errors
    /// As [`Registry::model`].
    pub async fn version(
        &self,
        series: &str,
        selector: VersionSelector,
    ) -> Result<VersionOfList, RegistryError> {
        let (store, name) = (Arc::clone(&self.store), CompactString::from(series));
        let read = move || {
            let StoredVersion { version, .. } = find(&*store, &name, selector)?;
            let query = VersionsQuery {
                series: name.clone(),
                after: Some(version.saturating_add(1)),
                is_descending: true,
                limit: 1,
            };
            let mut found = None;
            store.versions(&query, &mut |listed| {
                found = Some(VersionOfList::of(listed))
            })?;
            let found = found.filter(|found| found.version == version);
            found.ok_or(RegistryError::UnknownVersion {
                series: name.to_string(),
                version,
                latest: version,
            })
        };
        self.reads.run(read).await
    }

    /// The model that was the latest of `series` at `at`, see [`Registry::version_as_of`].
    ///
    /// # Errors
    /// As [`Registry::version_as_of`] and [`Registry::model`].
    pub async fn model_as_of(
        &self,
        series: &str,
        at: u64,
    ) -> Result<Arc<ServedModel>, RegistryError> {
        let version = self.version_as_of(series, at).await?;
        self.model(series, VersionSelector::Exactly(version)).await
    }

    /// The version that was the latest of `series` at `at`, Unix seconds, to the end of that second.
    ///
    /// # Errors
    /// When the series is not known, had no version yet, or the store cannot be read.
    pub async fn version_as_of(&self, series: &str, at: u64) -> Result<u64, RegistryError> {
        let (store, name) = (Arc::clone(&self.store), series.to_owned());
        let at_ms = at.saturating_mul(1_000).saturating_add(999);
        let read = move || match store.as_of(&name, at_ms)? {
            AsOf::Version(version) => Ok(version),
            AsOf::NoneYet => Err(RegistryError::NoVersionYet { series: name, at }),
            AsOf::NoSuchSeries => Err(RegistryError::UnknownSeries(name)),
        };
        self.reads.run(read).await
    }
}

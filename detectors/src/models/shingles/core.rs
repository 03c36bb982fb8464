//! One type for the seven cores, and the window each of them looks at.

use serde::{Deserialize, Serialize};

use super::forest::Forest;
use super::gmm::Gmm;
use super::kmeans::Kmeans;
use super::nearest::Nearest;
use super::one_class_svm::OneClassSvm;
use super::pca::Pca;
use super::spectral_residual::SpectralResidual;
use super::windows::{CAP, Windows};
use super::{Novelty, ShingleError};
use crate::eval::period::period_acf;

/// Which core.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Pca,
    Gmm,
    Kmeans,
    OneClassSvm,
    Forest,
    SpectralResidual,
    Nearest,
}

/// A fitted core. The order is that of the model's bytes and never changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Core {
    Pca(Box<Pca>),
    Gmm(Box<Gmm>),
    Kmeans(Box<Kmeans>),
    OneClassSvm(Box<OneClassSvm>),
    Forest(Box<Forest>),
    SpectralResidual(Box<SpectralResidual>),
    Nearest(Box<Nearest>),
}

/// Shortest window.
const WINDOW_MIN: usize = 8;

/// Longest window.
const WINDOW_MAX: usize = 256;

/// Window of the spectral residual, which looks at the spectrum and not at one shape.
const SPECTRAL_WINDOW: usize = 64;

/// A history holds at least so many windows side by side.
const WINDOWS_APART: usize = 8;

impl Shape {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pca => "pca",
            Self::Gmm => "gmm",
            Self::Kmeans => "kmeans",
            Self::OneClassSvm => "one_class_svm",
            Self::Forest => "forest",
            Self::SpectralResidual => "spectral_residual",
            Self::Nearest => "nearest",
        }
    }

    /// Points of the shortest window.
    pub(crate) fn shortest(self) -> usize {
        match self {
            Self::SpectralResidual => 2 * WINDOW_MIN,
            _ => WINDOW_MIN,
        }
    }

    /// Points of a window: the period of the series by its autocorrelation, within what its length
    /// bears.
    pub(crate) fn window(self, values: &[f64]) -> usize {
        let longest = (values.len() / WINDOWS_APART).clamp(WINDOW_MIN, WINDOW_MAX);
        match self {
            Self::SpectralResidual => SPECTRAL_WINDOW.min(longest).max(self.shortest()),
            _ => usize::from(period_acf(values)).clamp(WINDOW_MIN, longest),
        }
    }
}

impl Core {
    /// Fits to the windows of m points of a standardised series.
    pub(crate) fn fit(shape: Shape, series: &[f64], m: usize) -> Result<Self, ShingleError> {
        let windows = Windows::new(series, m, CAP)?;
        Ok(match shape {
            Shape::Pca => Self::Pca(Box::new(Pca::fit(&windows)?)),
            Shape::Gmm => Self::Gmm(Box::new(Gmm::fit(&windows)?)),
            Shape::Kmeans => Self::Kmeans(Box::new(Kmeans::fit(&windows)?)),
            Shape::OneClassSvm => Self::OneClassSvm(Box::new(OneClassSvm::fit(&windows)?)),
            Shape::Forest => Self::Forest(Box::new(Forest::fit(&windows)?)),
            Shape::SpectralResidual => {
                Self::SpectralResidual(Box::new(SpectralResidual::fit(&windows)?))
            }
            Shape::Nearest => Self::Nearest(Box::new(Nearest::fit(&windows)?)),
        })
    }

    pub(crate) fn shape(&self) -> Shape {
        match self {
            Self::Pca(_) => Shape::Pca,
            Self::Gmm(_) => Shape::Gmm,
            Self::Kmeans(_) => Shape::Kmeans,
            Self::OneClassSvm(_) => Shape::OneClassSvm,
            Self::Forest(_) => Shape::Forest,
            Self::SpectralResidual(_) => Shape::SpectralResidual,
            Self::Nearest(_) => Shape::Nearest,
        }
    }

    /// Novelty of every window of a series, in order: shape `[n − m + 1]`.
    pub(crate) fn novelties(&self, series: &[f64], m: usize) -> Vec<f64> {
        match self {
            // All windows at once cost a fraction of one after the other, and each has those before
            // it for neighbours.
            Self::Nearest(core) => core.profile(series),
            _ => series
                .windows(m)
                .map(|window| self.novelty(window))
                .collect(),
        }
    }

    /// Novelty of the windows of the training series from the one at `first` on, as if they had not been
    /// there where the model can tell.
    pub(crate) fn training_novelties(&self, series: &[f64], m: usize, first: usize) -> Vec<f64> {
        let left_out = match self {
            Self::Nearest(core) => core.left_out(series, first),
            _ => None,
        };
        left_out.unwrap_or_else(|| self.novelties(&series[first..], m))
    }

    /// Whether the numbers are ones a fit to windows of m points can give.
    pub(crate) fn check(&self, m: usize) -> bool {
        match self {
            Self::Pca(core) => core.check(m),
            Self::Gmm(core) => core.check(m),
            Self::Kmeans(core) => core.check(m),
            Self::OneClassSvm(core) => core.check(m),
            Self::Forest(core) => core.check(m),
            Self::SpectralResidual(core) => core.check(m),
            Self::Nearest(core) => core.check(m),
        }
    }

    fn inner(&self) -> &dyn Novelty {
        match self {
            Self::Pca(core) => &**core,
            Self::Gmm(core) => &**core,
            Self::Kmeans(core) => &**core,
            Self::OneClassSvm(core) => &**core,
            Self::Forest(core) => &**core,
            Self::SpectralResidual(core) => &**core,
            Self::Nearest(core) => &**core,
        }
    }
}

impl Novelty for Core {
    fn novelty(&self, window: &[f64]) -> f64 {
        self.inner().novelty(window)
    }

    fn expected(&self, context: &[f64]) -> Option<f64> {
        self.inner().expected(context)
    }

    fn heap_bytes(&self) -> usize {
        match self {
            Self::Pca(core) => size_of::<Pca>() + core.heap_bytes(),
            Self::Gmm(core) => size_of::<Gmm>() + core.heap_bytes(),
            Self::Kmeans(core) => size_of::<Kmeans>() + core.heap_bytes(),
            Self::OneClassSvm(core) => size_of::<OneClassSvm>() + core.heap_bytes(),
            Self::Forest(core) => size_of::<Forest>() + core.heap_bytes(),
            Self::SpectralResidual(core) => size_of::<SpectralResidual>() + core.heap_bytes(),
            Self::Nearest(core) => size_of::<Nearest>() + core.heap_bytes(),
        }
    }
}

//! Layout of the models that judge windows.

use serde::{Deserialize, Serialize};

use super::DecodeError;
use super::banded::EmpiricalV1;
use crate::auto::Choice;
use crate::models::shingles::Core;
use crate::models::verdict::Rate;
use crate::models::windowed::Windowed;
use crate::params::ALARM_RATE_MIN;

/// Payload of the window models, format 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct WindowedV1 {
    /// 0 s, 1 ms, 2 us, 3 ns.
    time_unit: u8,
    /// As of [`Choice`].
    choice: u8,
    n: u64,
    trained_from: i64,
    trained_to: i64,
    center: f64,
    unit: f64,
    alarm_rate: f64,
    threshold: f64,
    reach: f64,
    context: Vec<f32>,
    reference: EmpiricalV1,
    core: Core,
}

impl From<&Windowed> for WindowedV1 {
    fn from(model: &Windowed) -> Self {
        Self {
            time_unit: super::code_of_time_unit(model.time_unit),
            choice: model.choice as u8,
            n: model.n,
            trained_from: model.trained.0,
            trained_to: model.trained.1,
            center: model.center,
            unit: model.unit,
            alarm_rate: model.rate.alarm_rate,
            threshold: model.threshold,
            reach: model.reach,
            context: model.context.to_vec(),
            reference: EmpiricalV1::new(
                &model.reference,
                u32::try_from(model.n).unwrap_or(u32::MAX),
            ),
            core: model.core.clone(),
        }
    }
}

impl WindowedV1 {
    pub(super) fn into_model(self) -> Result<Windowed, DecodeError> {
        let reference = self.reference.into_model(self.n)?;
        let not_negative = |x: f64| x.is_finite() && x >= 0.0;
        let checks = [
            (
                "trained",
                0 <= self.trained_from && self.trained_from <= self.trained_to,
            ),
            ("center", self.center.is_finite()),
            ("unit", self.unit.is_finite() && self.unit > 0.0),
            (
                "alarm_rate",
                self.alarm_rate >= ALARM_RATE_MIN && self.alarm_rate < 1.0,
            ),
            ("threshold", not_negative(self.threshold)),
            ("reach", not_negative(self.reach)),
            (
                "context",
                self.context.iter().all(|value| value.is_finite()),
            ),
            ("n", self.n > 0),
            ("core", self.core.check(self.context.len() + 1)),
        ];
        if let Some((field, _)) = checks.into_iter().find(|(_, holds)| !holds) {
            return Err(DecodeError::Invalid { field });
        }
        let choice = Choice::from_code(self.choice);
        Ok(Windowed {
            core: self.core,
            context: self.context.into(),
            center: self.center,
            unit: self.unit,
            reference,
            threshold: self.threshold,
            reach: self.reach,
            trained: (self.trained_from, self.trained_to),
            rate: Rate::new(self.alarm_rate),
            n: self.n,
            time_unit: super::time_unit_of_code(self.time_unit)?,
            choice: choice.ok_or(DecodeError::Invalid { field: "choice" })?,
        })
    }
}

//! The reply to columns: learnt piece by piece, written once all pieces are durable.

use api::update::UpdateColumnsReply;
use api::{Column, Columns, Points, Rejection, VerdictColumns};
use bytes::Bytes;
use detectors::envelope::digest_hex;

use super::super::predict::Asked;
use super::super::{columns, convert};
use super::{INLINE_POINTS, PIECE_POINTS, durable};
use crate::admission::Ticket;
use crate::registry::{Applied, Origin, Pending, RegistryError, Updating};
use crate::startup::State;

pub(super) async fn answer(
    state: &State,
    ticket: &mut Ticket,
    updating: Updating,
    (timestamps, values): (Vec<api::Timestamp>, Vec<f64>),
    asked: Asked,
) -> Result<Bytes, Rejection> {
    let is_small = values.len() <= INLINE_POINTS;
    let begin = move || {
        let points = Points::Columns(timestamps, values);
        match points.in_ticks(updating.time_unit().ticks_per_second())? {
            Points::Columns(timestamps, values) => {
                Ok(Work::new(updating, timestamps, values, asked))
            }
            Points::One(..) => unreachable!("columns stay columns"),
        }
    };
    let mut work = if is_small {
        begin()?
    } else {
        let begun = state.compute.run(ticket, begin).await;
        begun.map_err(convert::compute_rejection)??
    };
    loop {
        let at_once = is_small && work.try_piece()?;
        if !at_once {
            // Back in the queue after every piece, so that others have their turn.
            let turn = work.updating.turn();
            let run = state
                .compute
                .run_after(ticket, turn, move || work.piece())
                .await;
            work = run.map_err(convert::compute_rejection)??;
        }
        // Half of the points learnt would be worse than all of them late.
        ticket.carry_through();
        if work.is_done() {
            break;
        }
    }
    for pending in std::mem::take(&mut work.pending) {
        durable(ticket, pending).await?;
    }
    if is_small {
        return Ok(work.write());
    }
    let written = state.compute.run(ticket, move || work.write()).await;
    written.map_err(convert::compute_rejection)
}

/// Columns on their way.
struct Work {
    updating: Updating,
    timestamps: Vec<i64>,
    values: Vec<f64>,
    fields: Columns,
    verdicts: VerdictColumns<'static>,
    state_seq: Vec<u64>,
    learnt: Vec<bool>,
    alert: Vec<bool>,
    origin: Option<Origin>,
    pending: Vec<Pending>,
}

impl Work {
    fn new(updating: Updating, timestamps: Vec<i64>, values: Vec<f64>, asked: Asked) -> Self {
        let n = values.len();
        let fields = asked.fields.unwrap_or(Columns::ALL);
        let mut verdicts = VerdictColumns::default();
        columns::make_room(&mut verdicts, n, fields);
        Self {
            updating,
            timestamps,
            values,
            fields,
            verdicts,
            state_seq: Vec::with_capacity(n),
            learnt: Vec::with_capacity(n),
            alert: Vec::with_capacity(n),
            origin: None,
            pending: Vec::with_capacity(n.div_ceil(PIECE_POINTS)),
        }
    }

    fn is_done(&self) -> bool {
        self.learnt.len() == self.values.len()
    }

    fn next_points(&self) -> Vec<(i64, f64)> {
        let from = self.learnt.len();
        let to = self.values.len().min(from + PIECE_POINTS);
        let times = self.timestamps[from..to].iter().copied();
        times.zip(self.values[from..to].iter().copied()).collect()
    }

    /// Learns the next piece, waiting for others that work on the state.
    fn piece(mut self) -> Result<Self, Rejection> {
        let applied = self.updating.apply(&self.next_points());
        self.take(applied)?;
        Ok(self)
    }

    /// Learns the next piece, unless somebody works on the state: whether it was learnt.
    fn try_piece(&mut self) -> Result<bool, Rejection> {
        let Some(applied) = self.updating.try_apply(&self.next_points()) else {
            return Ok(false);
        };
        self.take(applied)?;
        Ok(true)
    }

    fn take(&mut self, applied: Result<Applied, RegistryError>) -> Result<(), Rejection> {
        let applied = applied.map_err(|error| convert::start_rejection(&error))?;
        for scored in &applied.scored {
            let observed = scored.observed;
            columns::push_score(&mut self.verdicts, &observed.score);
            self.state_seq.push(scored.state_seq);
            self.learnt.push(observed.learnt);
            self.alert.push(observed.alert);
        }
        self.origin = Some(applied.origin);
        self.pending.push(applied.pending);
        Ok(())
    }

    fn write(self) -> Bytes {
        let origin = self.origin.expect("a piece was learnt");
        let hash = digest_hex(&origin.digest);
        let n = self.values.len();
        let has = |column| self.fields.has(column);
        let verdicts = VerdictColumns {
            n_points: n,
            timestamps: has(Column::Timestamps).then_some(&self.timestamps[..]),
            values: has(Column::Values).then_some(&self.values[..]),
            ..self.verdicts
        };
        let reply = UpdateColumnsReply {
            model_version: origin.version,
            model_hash: &hash,
            verdicts,
            n_learnt: count(&self.learnt),
            n_alerts: count(&self.alert),
            state_seq: &self.state_seq,
            learnt: &self.learnt,
            alert: &self.alert,
        };
        columns::written(&reply, n, self.fields)
    }
}

fn count(flags: &[bool]) -> usize {
    flags.iter().filter(|flag| **flag).count()
}

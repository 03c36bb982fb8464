//! `tidemark-bench stub`.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use clap::error::ErrorKind;

use super::CommandError;
use super::args::bounded;
use crate::console;
use crate::interrupt;
use crate::stub::{Refusal, Settings, Stall, Stub};

pub(super) const HELP: &str = "\
Examples:
  tidemark-bench stub --port 8000
  tidemark-bench stub --port 8000 --delay-ms 5 --capacity 8
  tidemark-bench stub --port 8000 --stall 2s@4s --respond 503:0.1,500:0.01 --drop 0.01
  tidemark-bench stub --port 8000 --wrong 1e-5
  tidemark-bench stub --port 8000 --lose-ack 0.001

It answers fit, predict, update, healthcheck and probes, learns nothing unless told to, and stops on Ctrl-C.";

/// Flags of `tidemark-bench stub`.
#[derive(Debug, Args)]
pub struct StubArgs {
    /// Port on 127.0.0.1; 0 is a free one, which is printed
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub port: u16,

    /// What a request costs, and a point of a batch, in milliseconds; timers tick every millisecond
    #[arg(long, value_name = "MS", default_value = "0", allow_negative_numbers = true, value_parser = milliseconds)]
    pub delay_ms: Duration,

    /// Delays that a batch costs [default: one a point]
    #[arg(long, value_name = "N", value_parser = factor)]
    pub batch_cost: Option<f64>,

    /// Stop answering for some time, some time after the first request, such as 2s@4s
    #[arg(long, value_name = "LENGTH@START")]
    pub stall: Option<Stall>,

    /// Refuse shares of the requests at once, such as 503:0.1,500:0.01
    #[arg(long, value_name = "STATUS:SHARE", value_delimiter = ',')]
    pub respond: Vec<Refusal>,

    /// Close the connection without a word on a share of the requests, such as 0.01
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = share)]
    pub drop: f64,

    /// Threads that serve
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = bounded(1024))]
    pub threads: u32,

    /// Requests handled at once, others queue [default: no limit]
    #[arg(long, value_name = "N", value_parser = bounded(1_000_000))]
    pub capacity: Option<u32>,

    /// Fit the reference model and keep what is sent, so that answers are right
    #[arg(long)]
    pub learn: bool,

    /// Answer one of so many points wrong, such as 1e-5; implies --learn
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = share)]
    pub wrong: f64,

    /// Acknowledge one of so many fits and updates without keeping it, such as 0.001; implies --learn
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = share)]
    pub lose_ack: f64,

    /// Decides which requests are refused or dropped, which answers wrong and which writes lost
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        allow_negative_numbers = true
    )]
    pub seed: u64,
}

pub(super) fn run(args: StubArgs) -> Result<ExitCode, CommandError> {
    let settings = args.into_settings().unwrap_or_else(|error| error.exit());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let signal = interrupt::next_signal()?;
        let stub = Stub::start(&settings)?;
        console::out(format_args!("listening on {}", stub.url));
        signal.await;
        console::note(format_args!("{} requests", stub.requests()));
        Ok(ExitCode::SUCCESS)
    })
}

impl StubArgs {
    fn into_settings(self) -> Result<Settings, clap::Error> {
        let settings = Settings {
            port: self.port,
            delay: self.delay_ms,
            batch_cost: self.batch_cost,
            stall: self.stall,
            respond: self.respond,
            drop: self.drop,
            threads: self.threads as usize,
            capacity: self.capacity.map(|n| n as usize),
            learn: self.learn || self.wrong > 0.0 || self.lose_ack > 0.0,
            wrong: self.wrong,
            lose_ack: self.lose_ack,
            seed: self.seed,
        };
        if settings.shares_fit() {
            Ok(settings)
        } else {
            let message = "the shares of --respond and --drop are more than 1 together\n";
            Err(clap::Error::raw(ErrorKind::ValueValidation, message))
        }
    }
}

fn milliseconds(text: &str) -> Result<Duration, String> {
    let ms: Option<f64> = text.parse().ok().filter(|ms| (0.0..=3.6e6).contains(ms));
    let ms = ms.ok_or("expected milliseconds, from 0 to an hour of them")?;
    Ok(Duration::from_secs_f64(ms / 1e3))
}

fn factor(text: &str) -> Result<f64, String> {
    let factor = text.parse().ok().filter(|n| (0.0..=1e6).contains(n));
    factor.ok_or_else(|| "expected a number from 0 to 1000000".to_owned())
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|n| (0.0..=1.0).contains(n));
    share.ok_or_else(|| "expected a share from 0 to 1".to_owned())
}

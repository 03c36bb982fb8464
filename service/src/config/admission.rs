//! What the server takes on: memory, connections, tenants.

use clap::Args;

use super::parse_bytes;

/// Bytes of the process a connection takes: of 15,000, each took 18 KiB of resident memory for its buffers, before and
/// after a predict.
pub const BYTES_A_CONNECTION: usize = 20 * 1024;

/// What the server takes on.
#[derive(Clone, Debug, Args)]
pub struct AdmissionConfig {
    /// Memory for models, connections and requests together, such as 1GiB.
    #[arg(long, env = "TIDEMARK_MEMORY_BUDGET", default_value = "1GiB", value_parser = parse_bytes)]
    pub memory_budget: usize,

    /// Of that, memory for models and the counts of what they scored, such as 512MiB; other models come back from the
    /// store when asked for [default: half of the memory budget].
    #[arg(long, env = "TIDEMARK_MODEL_CACHE", value_parser = parse_bytes)]
    pub model_cache: Option<usize>,

    /// Connections served at a time; others wait to be accepted.
    #[arg(long, env = "TIDEMARK_MAX_CONNECTIONS", default_value_t = 16_384,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub max_connections: u32,

    /// Header that names the tenant of a request, such as X-Tenant: when not all can be served, tenants take turns.
    /// Without it, all requests are one tenant's.
    #[arg(long, env = "TIDEMARK_TENANT_HEADER", value_parser = header_name)]
    pub tenant_header: Option<String>,
}

/// The memory budget by its parts, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Models, online states and the counts of what they scored.
    pub models: usize,
    /// Connections.
    pub connections: usize,
    /// Bodies, the work on them and replies: what is left.
    pub requests: usize,
}

impl AdmissionConfig {
    /// The parts of the memory budget.
    ///
    /// # Errors
    /// A sentence for the operator, when the parts are larger than the whole.
    pub fn budget(&self) -> Result<Budget, String> {
        let models = self.model_cache.unwrap_or(self.memory_budget / 2);
        let connections = self.max_connections as usize * BYTES_A_CONNECTION;
        let rest = self.memory_budget.checked_sub(models);
        match rest.and_then(|rest| rest.checked_sub(connections)) {
            Some(requests) if requests > 0 => Ok(Budget {
                models,
                connections,
                requests,
            }),
            Some(_) | None => {
                let size = |bytes: usize| bytesize::ByteSize::b(bytes as u64).display().iec();
                Err(format!(
                    "--memory-budget {} leaves nothing for requests: --model-cache takes {} and {} connections take {} \
                     of it; raise the budget or lower --model-cache or --max-connections",
                    size(self.memory_budget),
                    size(models),
                    self.max_connections,
                    size(connections)
                ))
            }
        }
    }
}

fn header_name(text: &str) -> Result<String, String> {
    let name: Result<actix_web::http::header::HeaderName, _> = text.parse();
    name.map(|name| name.as_str().to_owned())
        .map_err(|error| format!("{error}; expected such as X-Tenant"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(memory_budget: usize, model_cache: Option<usize>) -> AdmissionConfig {
        AdmissionConfig {
            memory_budget,
            model_cache,
            max_connections: 1_000,
            tenant_header: None,
        }
    }

    #[test]
    fn models_take_half_unless_told_and_requests_what_is_left() {
        let budget = config(1 << 30, None).budget().unwrap();
        assert_eq!(budget.models, 1 << 29);
        assert_eq!(
            budget.models + budget.connections + budget.requests,
            1 << 30
        );
        let budget = config(1 << 30, Some(1 << 20)).budget().unwrap();
        assert_eq!(budget.models, 1 << 20);
    }

    #[test]
    fn parts_larger_than_the_whole_are_refused_in_words() {
        let error = config(1 << 20, None).budget().unwrap_err();
        assert!(error.contains("--memory-budget 1.0 MiB"), "{error}");
        let error = config(1 << 30, Some(2 << 30)).budget().unwrap_err();
        assert!(error.contains("--model-cache takes 2.0 GiB"), "{error}");
    }

    #[test]
    fn a_tenant_header_is_a_header_name() {
        assert_eq!(header_name("X-Tenant"), Ok("x-tenant".to_owned()));
        assert!(header_name("no name").is_err());
    }
}

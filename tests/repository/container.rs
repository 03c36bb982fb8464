//! The container runs as a user without privileges, from a root that it cannot write to (S6).

const DOCKERFILE: &str = include_str!("../../Dockerfile");
const COMPOSE: &str = include_str!("../../docker-compose.yml");

/// What each service has to say, whoever made its image.
const CONFINED: [&str; 3] = [
    "read_only: true",
    "cap_drop: [ALL]",
    r#"security_opt: ["no-new-privileges:true"]"#,
];
/// What would take back what is dropped.
const OPENED: [&str; 5] = [
    "privileged:",
    "cap_add:",
    "pid:",
    "network_mode:",
    "/var/run/docker.sock",
];

/// What is wrong with the image: the last stage has to end as a user with a number that is not root's. A name would
/// keep an orchestrator from telling that it is not root.
fn faults_of_image(dockerfile: &str) -> Vec<String> {
    let last_stage = dockerfile
        .rfind("\nFROM ")
        .map_or(dockerfile, |at| &dockerfile[at..]);
    let mut users = last_stage
        .lines()
        .filter_map(|line| line.strip_prefix("USER "));
    match users.next_back() {
        None => vec!["no USER".to_owned()],
        Some(user) => {
            let unprivileged = |id: &str| id.parse::<u32>().is_ok_and(|id| id >= 1_000);
            let ids = user.split(':');
            if ids.clone().count() == 2 && ids.clone().all(unprivileged) {
                Vec::new()
            } else {
                vec![format!("USER {user}")]
            }
        }
    }
}

/// What is wrong with the services.
fn faults_of_services(compose: &str) -> Vec<String> {
    let services = compose
        .split_once("\nservices:\n")
        .expect("there are some")
        .1;
    let mut faults = Vec::new();
    let mut name = "";
    let mut missing: Vec<&str> = Vec::new();
    for line in services.lines().chain(["end:"]) {
        let text = line.trim();
        if text.starts_with('#') || text.is_empty() {
            continue;
        }
        let depth = line.len() - line.trim_start().len();
        if depth <= 2 {
            faults.extend(missing.drain(..).map(|what| format!("{name}: no {what}")));
            if depth == 0 {
                break;
            }
            name = text.trim_end_matches(':');
            missing = CONFINED.to_vec();
        }
        if depth == 4 {
            missing.retain(|what| *what != text);
        }
        if OPENED.iter().any(|what| text.contains(what)) {
            faults.push(format!("{name}: {text}"));
        }
        // The load client writes its report into a folder of the host, which is root's when Docker makes it.
        if text.starts_with("user:") && name != "bench" {
            faults.push(format!("{name}: {text}"));
        }
    }
    faults
}

#[test]
fn the_image_has_a_user_without_privileges() {
    assert_eq!(faults_of_image(DOCKERFILE), Vec::<String>::new());
}

#[test]
fn every_service_is_confined() {
    assert_eq!(faults_of_services(COMPOSE), Vec::<String>::new());
    for name in ["tidemark", "bench", "prometheus", "grafana"] {
        assert!(
            COMPOSE.contains(&format!("\n  {name}:\n")),
            "{name} is not looked at"
        );
    }
}

/// Control.
#[test]
fn another_user_is_noticed() {
    for user in ["0:0", "10001:0", "tidemark", "root", "10001"] {
        let other = DOCKERFILE.replace("USER 10001:10001", &format!("USER {user}"));
        assert_eq!(faults_of_image(&other), [format!("USER {user}")]);
    }
    let none = DOCKERFILE.replace("USER 10001:10001\n", "");
    assert_eq!(faults_of_image(&none), ["no USER"]);
}

/// Control: every line that confines, of every service, is missed; every one that opens is seen.
#[test]
fn a_service_that_is_less_confined_is_noticed() {
    let mut seeded = 0;
    for line in CONFINED {
        for (at, _) in COMPOSE.match_indices(line) {
            let mut other = COMPOSE.to_owned();
            other.replace_range(at..at + line.len(), "# gone");
            assert_eq!(faults_of_services(&other).len(), 1, "{other}");
            seeded += 1;
        }
    }
    assert!(seeded >= 12, "{seeded}");
    for opened in [
        "privileged: true",
        "cap_add: [SYS_ADMIN]",
        "user: \"0:0\"",
        "network_mode: host",
    ] {
        let other = COMPOSE.replace("    build: .\n", &format!("    build: .\n    {opened}\n"));
        assert_eq!(faults_of_services(&other), [format!("tidemark: {opened}")]);
    }
}

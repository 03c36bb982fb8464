//! O7: a tenant that asks for more than there is takes nothing from those that ask for little.

use super::*;
use crate::problem::assert_problem;

const OTHERS: usize = 49;

/// How many of the others are served, one request each, beside a flood.
async fn served_beside_a_flood(flags: &[&str]) -> (usize, Vec<Reply>) {
    let server = busy_server(flags).await;
    let flood = Flood::begin(&server, &[("x-tenant", "flood")]).await;
    let (target, body) = (format!("/predict/{DEAR}"), columns(3).to_string());
    let mut served = 0;
    for n in 0..OTHERS {
        let tenant = format!("small-{n}");
        let headers = [("x-tenant", tenant.as_str())];
        let reply = server.send("POST", &target, &headers, body.clone()).await;
        served += usize::from(reply.status == 200);
    }
    (served, flood.end().await)
}

#[tokio::test]
async fn a_flood_of_one_tenant_costs_no_other_a_request() {
    let (served, refused) = served_beside_a_flood(&["--tenant-header", "X-Tenant"]).await;
    assert_eq!(served, OTHERS);
    // While nobody else waits, the flood is too much for the server; otherwise, for its share.
    let over_share: Vec<_> = refused.iter().filter(|reply| reply.status == 429).collect();
    assert!(!over_share.is_empty());
    for reply in over_share {
        assert_problem(reply, 429, "tenant_over_share");
        assert!(reply.header("retry-after").is_some());
    }
}

/// The control: with one tenant for all, the flood takes the others' places.
#[tokio::test]
async fn without_tenants_the_flood_costs_the_others_requests() {
    let (served, refused) = served_beside_a_flood(&[]).await;
    assert!(served < OTHERS, "{served}");
    assert!(refused.iter().all(|reply| reply.status == 503));
}

//! What the k6 script of a cell is told.

use anyhow::Result;
use lab_bench::started::Started;
use lab_model::access::Tls;
use lab_model::targets::{Grpc, Rest};

use super::bench::Bench;
use super::running::Running;
use crate::own::service::Part;

/// The environment of the k6 script for this cell.
pub(crate) fn environment(
    bench: &Bench,
    context: &Running<'_>,
    started: &Started,
    part: Part,
) -> Result<Vec<(String, String)>> {
    let target = &context.cell.target;
    let mut env = Vec::new();
    set(&mut env, "TEST_MODE", &bench.plan.mode_name);
    set(&mut env, "TARGET", &target.name);
    // The scripts put it before `:PORT`.
    set(&mut env, "HOST", &started.from_generator.url_host());
    set(&mut env, "PORT", &started.from_generator.port.to_string());
    let access = &started.from_generator.access;
    set(&mut env, "SCHEME", access.scheme());
    if let Some(Tls { ca, identity }) = &access.tls {
        // k6 has no setting of its own for authorities: like every Go program it reads this variable.
        if let Some(ca) = ca {
            set(&mut env, "SSL_CERT_FILE", &ca.to_string_lossy());
        }
        if let Some((cert, key)) = identity {
            set(&mut env, "TLS_CLIENT_CERT", &cert.to_string_lossy());
            set(&mut env, "TLS_CLIENT_KEY", &key.to_string_lossy());
        }
    }
    set(&mut env, "PAYLOAD_SIZE", &context.cell.payload);
    set(&mut env, "SEED", &bench.plan.seed.to_string());
    set(&mut env, "RUN_ID", &context.label);
    set(&mut env, "PHASE_SCALE", &bench.plan.phase_scale.to_string());
    if let Some(rate) = bench.plan.mode.rate_of(target.scenario) {
        set(&mut env, "RATE", &rate.to_string());
    }
    if let Some(Rest { path, .. }) = &target.rest {
        set(&mut env, "REST_PATH", path);
    }
    if let Some(Grpc {
        service,
        method,
        proto,
        reconnect,
        attributes,
    }) = &target.grpc
    {
        set(&mut env, "GRPC_SERVICE", service);
        set(&mut env, "GRPC_METHOD", method);
        set(&mut env, "GRPC_PROTO", proto);
        set(
            &mut env,
            "GRPC_RECONNECT",
            if *reconnect { "1" } else { "0" },
        );
        set(&mut env, "GRPC_ATTRIBUTES", attributes.as_str());
    }
    if let Some(own) = &bench.own {
        let payload = &context.cell.payload;
        env.extend(own.environment(target, payload, bench.plan.seed, part)?);
    }
    Ok(env)
}

/// The script of a cell: that of its target, or of a user's own scenario.
pub(crate) fn script(bench: &Bench, context: &Running<'_>) -> Result<String> {
    let cell = context.cell;
    match &bench.own {
        Some(own) => own.script(&cell.target, &cell.payload),
        None => Ok(cell.target.script.clone()),
    }
}

pub(super) fn set(env: &mut Vec<(String, String)>, name: &str, value: &str) {
    env.retain(|(known, _)| known != name);
    env.push((name.into(), value.into()));
}

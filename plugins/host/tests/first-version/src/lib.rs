//! A plugin of every kind, built against the first version of everything. It gives back what it understood.

mod frozen;

use std::mem::ManuallyDrop;

use frozen::{
    ABI_VERSION, BAD_REQUEST, BillingReply, BillingRequest, Charge, ERROR, IngressReply, IngressRequest, MESSAGE_VERSION, OK, OwnedBuffer,
    PluginError, PluginTable, Reply, Request, RouteFile, RuntimeReply, RuntimeRequest, RuntimeVersion,
};

fn answer(request: Request) -> Result<Reply, PluginError> {
    Ok(match request {
        Request::Configure(settings) => {
            if settings["colour"] == "green" {
                return Err(PluginError { code: "GREEN".into(), message: "not green".into(), fix: Some("take blue".into()) });
            }
            Reply::Configured
        }
        Request::Runtime(RuntimeRequest::Describe) => Reply::Runtime(RuntimeReply::Describe {
            slug: "first".into(),
            name: "First".into(),
            versions: vec![RuntimeVersion {
                version: "1".into(),
                build_image: "first:1".into(),
                run_image: "first:1".into(),
                is_default: true,
                end_of_life: Some("2030-01-01T00:00:00Z".into()),
            }],
            tools: vec!["first".into()],
            detect_files: vec!["first.toml".into()],
            default_port: 8080,
        }),
        Request::Runtime(RuntimeRequest::Resolve { tool, constraint }) => {
            if constraint == "99" {
                return Err(PluginError { code: "VERSION_UNKNOWN".into(), message: format!("no {tool} 99"), fix: None });
            }
            let image = format!("{tool}:{constraint}");
            Reply::Runtime(RuntimeReply::Resolve { version: constraint, build_image: image.clone(), run_image: image, notices: vec![] })
        }
        Request::Runtime(RuntimeRequest::Launch { memory_bytes, cpu_millis, version }) => Reply::Runtime(RuntimeReply::Launch {
            env: vec![("MEMORY".into(), memory_bytes.to_string()), ("CPU".into(), cpu_millis.to_string()), ("VERSION".into(), version)],
        }),
        Request::Billing(BillingRequest::Rate { currency, usage }) => {
            let charge = |period: frozen::UsagePeriod| Charge {
                description: format!("{} to {} in {currency}", period.start, period.end),
                amount: period.hourly_rate,
                key: period.key,
            };
            Reply::Billing(BillingReply::Rate(usage.into_iter().map(charge).collect()))
        }
        Request::Ingress(IngressRequest::Render { applications }) => {
            let file = |route: frozen::ApplicationRoute| {
                let backends: Vec<_> = route.backends.iter().map(|backend| format!("@{}@:{}", backend.instance, backend.port)).collect();
                RouteFile {
                    name: format!("{}.txt", route.application),
                    content: format!("{} -> {} tls={}", route.hostnames.join(" "), backends.join(" "), route.tls),
                    application: route.application,
                    revision: route.revision,
                }
            };
            Reply::Ingress(IngressReply::Render { files: applications.into_iter().map(file).collect() })
        }
        Request::Ingress(IngressRequest::CheckDomain { hostname }) => {
            let problem = hostname.starts_with('*').then(|| format!("{hostname} is a wildcard"));
            Reply::Ingress(IngressReply::CheckDomain { problem })
        }
    })
}

unsafe extern "C" fn call(request: *const u8, len: usize, message_version: u32, reply: *mut OwnedBuffer) -> i32 {
    if reply.is_null() {
        return BAD_REQUEST;
    }
    let (status, bytes) = if request.is_null() || message_version != MESSAGE_VERSION {
        (BAD_REQUEST, b"this is version 1".to_vec())
    } else {
        // SAFETY: the host hands over `len` readable bytes.
        match serde_json::from_slice(unsafe { std::slice::from_raw_parts(request, len) }) {
            Err(error) => (BAD_REQUEST, error.to_string().into_bytes()),
            Ok(request) => match answer(request) {
                Ok(reply) => (OK, serde_json::to_vec(&reply).unwrap_or_default()),
                Err(error) => (ERROR, serde_json::to_vec(&error).unwrap_or_default()),
            },
        }
    };
    let mut bytes = ManuallyDrop::new(bytes);
    // SAFETY: the host hands over a writable buffer.
    unsafe { reply.write(OwnedBuffer { data: bytes.as_mut_ptr(), len: bytes.len(), capacity: bytes.capacity() }) };
    status
}

unsafe extern "C" fn free(buffer: OwnedBuffer) {
    if !buffer.data.is_null() {
        // SAFETY: these are the parts of the `Vec` that `call` took apart.
        drop(unsafe { Vec::from_raw_parts(buffer.data, buffer.len, buffer.capacity) });
    }
}

static TABLE: PluginTable =
    PluginTable { size: size_of::<PluginTable>(), min_message_version: MESSAGE_VERSION, max_message_version: MESSAGE_VERSION, call, free };

#[unsafe(no_mangle)]
extern "C" fn slipway_plugin_abi() -> u32 {
    ABI_VERSION
}

#[unsafe(no_mangle)]
extern "C" fn slipway_plugin_table() -> *const PluginTable {
    &TABLE
}

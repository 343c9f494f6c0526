//! `export_plugin!`: the two C symbols of a plugin library, or the exports of a component.

/// Makes this library a plugin: `export_plugin!(runtime: MyType);`, likewise `billing` and `ingress`.
///
/// `MyType` implements [`RuntimePlugin`](crate::RuntimePlugin), [`BillingPlugin`](crate::BillingPlugin) or
/// [`IngressPlugin`](crate::IngressPlugin). It is made by `Default` on the first call and lives until the process ends. A library
/// exports one plugin, once; two libraries that do cannot be linked into one program as `rlib`s.
#[macro_export]
macro_rules! export_plugin {
    (runtime: $plugin:ty) => {
        $crate::export_plugin!(@export runtime, $plugin);
    };
    (billing: $plugin:ty) => {
        $crate::export_plugin!(@export billing, $plugin);
    };
    (ingress: $plugin:ty) => {
        $crate::export_plugin!(@export ingress, $plugin);
    };
    (@export $answer:ident, $plugin:ty) => {
        #[allow(unsafe_code)] // exporting a symbol by name is what the host finds a plugin by
        const _: () = {
            struct Exported;

            impl $crate::dispatch::Exported for Exported {
                fn answer(
                    request: $crate::messages::Request,
                ) -> ::core::result::Result<$crate::messages::Reply, $crate::dispatch::Failure> {
                    static PLUGIN: ::std::sync::LazyLock<$plugin> =
                        ::std::sync::LazyLock::new(<$plugin as ::core::default::Default>::default);
                    $crate::dispatch::$answer(&*PLUGIN, request)
                }
            }

            $crate::export_plugin!(@symbols $crate::boundary::table::<Exported>(), $crate::boundary::answer::<Exported>);
        };
    };
    // What the linker sees: of a native library the table, of a component the function that answers.
    (@symbols $table:expr, $answer:expr) => {
        #[cfg(not(target_family = "wasm"))]
        const _: () = {
            static TABLE: $crate::abi::PluginTable = $table;

            #[unsafe(no_mangle)]
            extern "C" fn slipway_plugin_abi() -> u32 {
                $crate::abi::ABI_VERSION
            }

            #[unsafe(no_mangle)]
            extern "C" fn slipway_plugin_table() -> *const $crate::abi::PluginTable {
                &TABLE
            }
        };

        #[cfg(target_family = "wasm")]
        const _: () = {
            struct Component;

            impl $crate::guest::Guest for Component {
                fn message_versions() -> (u32, u32) {
                    (*$crate::abi::MESSAGE_VERSIONS.start(), *$crate::abi::MESSAGE_VERSIONS.end())
                }

                fn call(request: ::std::vec::Vec<u8>, message_version: u32) -> $crate::guest::Reply {
                    let (status, bytes) = $answer(&request, message_version);
                    $crate::guest::Reply { status, bytes }
                }
            }

            $crate::guest::bindings::export!(Component with_types_in $crate::guest::bindings);
        };
    };
}

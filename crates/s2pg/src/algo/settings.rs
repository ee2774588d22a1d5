//! Tables of settings, which state every key with its default, its range and its meaning in one place.

pub(crate) use crate::plan::keys::{Limit, Value};

/// Defines the settings of an algorithm: a struct with its defaults, `table`, which describes its keys, and `limits`,
/// which refuses values out of range. The fields in `planned` are no keys of an experiment: the plan of a run sets
/// them.
macro_rules! settings {
    (
        $(#[$($about:tt)*])*
        $table:literal {
            $($(#[$($doc:tt)*])* $key:ident: $type:ty = $default:expr, $limit:ident $(($most:literal))?;)+
        }
        planned {
            $($(#[$planned_doc:meta])* $planned:ident: bool;)*
        }
    ) => {
        $(#[$($about)*])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        // Reading and writing are derived as functions of the type, so that reading can complete what was read.
        #[serde(default, deny_unknown_fields, remote = "Self")]
        pub struct Settings {
            $($(#[$($doc)*])* pub $key: $type,)+
            $($(#[$planned_doc])* #[serde(skip)] pub $planned: bool,)*
        }

        impl Default for Settings {
            fn default() -> Self {
                Self { $($key: $default,)+ $($planned: false,)* }
            }
        }

        impl serde::Serialize for Settings {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                Settings::serialize(self, serializer)
            }
        }

        impl<'de> serde::Deserialize<'de> for Settings {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let (mut settings, default) = (Settings::deserialize(deserializer)?, Self::default());
                $($crate::algo::settings::Value::complete(&mut settings.$key, &default.$key);)+
                Ok(settings)
            }
        }

        impl Settings {
            /// Describes the keys of the table.
            pub(crate) fn table() -> $crate::plan::keys::Table {
                $crate::plan::keys::describe! {
                    [$([$($about)*])*] $table
                    $($([$($doc)*])* $key: $type = $default, $limit $(($most))?;)+
                }
            }

            /// Refuses settings that are out of range, in one sentence.
            fn limits(&self) -> Result<(), String> {
                $($crate::algo::settings::Limit::$limit $(($most))?
                    .check(concat!($table, ".", stringify!($key)), &self.$key)?;)+
                Ok(())
            }
        }
    };
}
pub(super) use settings;

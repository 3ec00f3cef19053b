//! libsolv, wrapped: one file a C type.

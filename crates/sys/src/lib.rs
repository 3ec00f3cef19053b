//! System calls: one function a call, its name and arguments kept in the error.

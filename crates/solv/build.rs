//! Refuses to build without the system's libsolv: `libsolv-sys` would silently build a bundled one, configured for
//! Debian's packages, whose answers about RPMs are wrong.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    for library in ["libsolv", "libsolvext"] {
        if let Err(error) = pkg_config::Config::new().atleast_version("0.7.17").probe(library) {
            eprintln!(
                "redpak-solv needs {library} 0.7.17 or later: install libsolv-dev libsolvext-dev\n{error}"
            );
            std::process::exit(1);
        }
    }
}

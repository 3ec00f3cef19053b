use std::io::Read;
fn main() {
    let mut s = String::new();
    std::io::stdin().read_to_string(&mut s).unwrap();
    let s = s.replace("<NUL>", "\0");
    let (c, f) =
        redpak_model::parse(&redpak_model::SourceText::new("f.yaml", s), redpak_model::Layer::Normal);
    print!("{}", redpak_diagnostics::render::text(&f, redpak_diagnostics::render::Color::Never));
    println!("{}", c.is_some());
}

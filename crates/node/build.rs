//! Sets the linker flags of a Node addon for the platform.

fn main() {
    napi_build::setup();
}

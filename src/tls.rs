//! Which cryptography TLS is made with.

/// Makes ring the process's, for whatever connects without saying. Called again it changes nothing.
pub fn use_ring() {
    // Somebody was first, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

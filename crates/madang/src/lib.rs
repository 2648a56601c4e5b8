//! Real-time messaging server and library.

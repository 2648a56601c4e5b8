//! WebSocket as a state machine over bytes.

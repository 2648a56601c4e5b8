//! What carries publications between nodes.

//! MuJoCo

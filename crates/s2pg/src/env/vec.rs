//! placeholder
/// E
pub struct Episode;
/// V
pub struct VecEnv;

//! A model file is used as it was written, or refused in one sentence. `S2PG_FLIPS` is the number of bit flips (2,000
//! if not set).

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use s2pg::Rng;
use s2pg::env::Registry;
use s2pg::experiment::{Experiment, player};
use s2pg::run::{ModelError, save_model};
use s2pg::train::{Model, Player};
use safetensors::SafeTensors;

/// A player of a small policy with statistics of its observations.
fn small(seed: usize) -> Player {
    let text = format!(
        "algorithm = \"ppo\"\nestimator = \"rs\"\nsteps = 100_000\nseed = {seed}\n[env]\nname = \"TMaze-v0\"\n\
         [network]\nfeatures = 4\ncritic_features = 4\nhidden = 3\n"
    );
    let experiment = Experiment::parse("test.toml", &text, &[]).unwrap();
    player(&experiment, Arc::new(Registry::new())).unwrap().0
}

/// Every number of a player, as its bits.
fn bits(player: &mut Player) -> Vec<u64> {
    let Model { parameters, standardiser } = player.model();
    let statistics = standardiser.map(|s| [s.mean().to_vec(), s.std()].concat()).unwrap_or_default();
    let parameters = parameters.data().iter().map(|x| u64::from(x.to_bits()));
    parameters.chain(statistics.iter().map(|x| x.to_bits())).collect()
}

fn pairs() -> BTreeMap<String, String> {
    BTreeMap::from([("experiment".into(), "seed = 1\n".into()), ("steps".into(), "7".into())])
}

/// The model file of the version before, which has no hash, with the tensors of `file`.
fn former(file: &[u8]) -> Vec<u8> {
    let tensors = SafeTensors::deserialize(file).unwrap();
    let tensors = tensors.tensors();
    safetensors::serialize(tensors.iter().map(|(name, t)| (name, t)), Some(pairs().into_iter().collect())).unwrap()
}

/// `file` as the numbers of the tensor `name` are `numbers` there, and no hash.
fn with_numbers(file: &[u8], name: &str, numbers: &[u8]) -> Vec<u8> {
    let mut file = former(file);
    let at = {
        let (header, layout) = SafeTensors::read_metadata(&file).unwrap();
        8 + header + layout.info(name).unwrap().data_offsets.0
    };
    file[at..at + numbers.len()].copy_from_slice(numbers);
    file
}

/// Fails unless `file` is refused and changes nothing of `player`; returns the sentence.
fn refused(player: &mut Player, path: &Path, file: &[u8], what: &str) -> String {
    std::fs::write(path, file).unwrap();
    let before = bits(player);
    let error = player.load(path).expect_err(what);
    assert_eq!(bits(player), before, "{what} changed the player");
    assert!(matches!(error, ModelError::Wrong(..)), "{what}: {error}");
    let text = error.to_string();
    assert!(text.contains(path.to_str().unwrap()) && !text.contains('\n'), "{what}: {text}");
    text
}

/// What is saved is loaded, to the bit; the same model gives the same bytes, and another program can read them.
#[test]
fn a_model_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.safetensors");
    let (mut a, mut b) = (small(1), small(2));
    save_model(&path, a.model(), &pairs()).unwrap();
    let file = std::fs::read(&path).unwrap();
    assert_ne!(bits(&mut a), bits(&mut b));
    b.load(&path).unwrap();
    assert_eq!(bits(&mut a), bits(&mut b));
    save_model(&path, b.model(), &pairs()).unwrap();
    assert!(std::fs::read(&path).unwrap() == file);
    let (header, layout) = SafeTensors::read_metadata(&file).unwrap();
    assert_eq!((header % 8, &layout.metadata().as_ref().unwrap()["steps"][..]), (0, "7"));
    assert_eq!(layout.info("policy.cell.weight_hh").unwrap().shape, [9, 3]);
    assert!(layout.info("observation.mean").is_some());
}

/// A flipped bit of a model file, wherever it is, is noticed before the policy acts with it; so is a file that was cut
/// off.
#[test]
fn a_flipped_bit_of_a_model_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.safetensors");
    save_model(&path, small(1).model(), &pairs()).unwrap();
    let sound = std::fs::read(&path).unwrap();
    let header = 8 + u64::from_le_bytes(sound[..8].try_into().unwrap()) as usize;
    let mut rng = Rng::new(0, "flips");
    let flips = std::env::var("S2PG_FLIPS").map_or(2000, |n| n.parse().expect("a number"));
    let mut player = small(2);
    let random = (0..flips).map(|_| rng.below(8 * sound.len())).collect::<Vec<_>>();
    for bit in (0..8 * header).chain(random) {
        let mut file = sound.clone();
        file[bit / 8] ^= 1 << (bit % 8);
        refused(&mut player, &path, &file, &format!("bit {} of byte {}", bit % 8, bit / 8));
    }
    for len in [0, 7, 8, header - 1, header, sound.len() - 1] {
        refused(&mut player, &path, &sound[..len], &format!("cut to {len} bytes"));
    }
    println!("bit flips of a model noticed: {flips} random and all {} of the header", 8 * header);
}

/// A number that is not finite is refused with the file and the item, with a hash or without; a file of the version
/// before, which has no hash, loads.
#[test]
fn a_model_with_a_nan_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.safetensors");
    let mut sound = small(1);
    save_model(&path, sound.model(), &pairs()).unwrap();
    let file = std::fs::read(&path).unwrap();
    std::fs::write(&path, former(&file)).unwrap();
    let mut player = small(2);
    player.load(&path).unwrap();
    assert_eq!(bits(&mut player), bits(&mut sound), "a file of the version before");

    let infinite = [0f32.to_le_bytes(), f32::INFINITY.to_le_bytes()].concat();
    let text = refused(&mut player, &path, &with_numbers(&file, "policy.head.weight", &infinite), "an infinite weight");
    assert!(text.contains("`policy.head.weight`[1] is inf"), "{text}");
    for (name, x) in [("mean", f64::NAN), ("sum", f64::INFINITY), ("sum", -1.0), ("n", 0.0)] {
        let name = format!("observation.{name}");
        let text = refused(&mut player, &path, &with_numbers(&file, &name, &x.to_le_bytes()), &name);
        assert!(text.contains(&format!("`{name}`[0] is {x}")), "{text}");
    }
    sound.model().parameters.data_mut()[2] = f32::NAN;
    save_model(&path, sound.model(), &pairs()).unwrap();
    let text = refused(&mut player, &path, &std::fs::read(&path).unwrap(), "a NaN behind a sound hash");
    assert!(text.contains("[2] is NaN"), "{text}");
}

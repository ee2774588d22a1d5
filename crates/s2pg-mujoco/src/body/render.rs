//! Pictures of a body, rendered by MuJoCo without a display (EGL).

use std::cell::RefCell;

use mujoco_rs::renderer::MjRenderer;
use mujoco_rs::wrappers::{MjModel, MjvCamera};

use super::Body;

thread_local! {
    /// The renderer of this thread, with the size of its pictures: a context of OpenGL belongs to one thread.
    static RENDERER: RefCell<Option<([u32; 2], MjRenderer)>> = const { RefCell::new(None) };
}

/// Width and height of the largest picture in pixels, for which the models have room.
const LARGEST: [u32; 2] = [640, 480];
const SKY: [u8; 3] = [246, 248, 251];
const FLOOR: [f32; 4] = [0.87, 0.88, 0.9, 1.0];
/// Colours of the bodies, by their numbers in the model.
const BODIES: [[f32; 4]; 6] = [
    [0.26, 0.46, 0.7, 1.0],
    [0.88, 0.48, 0.22, 1.0],
    [0.29, 0.62, 0.48, 1.0],
    [0.59, 0.41, 0.67, 1.0],
    [0.8, 0.64, 0.24, 1.0],
    [0.47, 0.51, 0.56, 1.0],
];
/// Colours of the lightest and the heaviest body where masses vary.
const LIGHT: [f32; 4] = [0.76, 0.87, 0.97, 1.0];
const HEAVY: [f32; 4] = [0.05, 0.16, 0.36, 1.0];

/// Gives the world and the bodies of a model their colours and a bright lamp at the camera, which change nothing else.
pub(super) fn colour(model: &mut MjModel) {
    let of: Vec<usize> = model.geom_bodyid().iter().map(|&body| body as usize).collect();
    for (colour, body) in model.geom_rgba_mut().iter_mut().zip(of) {
        *colour = if body == 0 { FLOOR } else { BODIES[body % BODIES.len()] };
    }
    let lamp = &mut model.vis_mut().headlight;
    (lamp.ambient, lamp.diffuse, lamp.specular) = ([0.7; 3], [0.4; 3], [0.1; 3]);
}

/// Gives each body a blue that is the darker the more its mass is above the nominal one: `change` has a number for each
/// body, from -0.3 to 0.3.
pub(super) fn colour_by_mass(model: &mut MjModel, change: &[f64]) {
    for geom in 0..model.geom_bodyid().len() {
        let body = model.geom_bodyid()[geom] as usize;
        if body != 0 {
            let heavy = (change[body] / 0.6 + 0.5) as f32;
            model.geom_rgba_mut()[geom] = [0, 1, 2, 3].map(|k| LIGHT[k] + heavy * (HEAVY[k] - LIGHT[k]));
        }
    }
}

impl Body {
    /// Returns a picture of the body of `size` = [width, height] pixels, at most 640 x 480, from a camera that follows
    /// the first body after the world: red, green and blue of each pixel, row after row from the top. An error says in
    /// words what is missing, such as a driver for EGL.
    pub fn render(&mut self, size: [u32; 2]) -> Result<Vec<u8>, String> {
        RENDERER.with_borrow_mut(|kept| {
            if kept.as_ref().is_none_or(|(of, _)| *of != size) {
                // The context of before must be gone before the next one becomes current.
                *kept = None;
                *kept = Some((size, self.renderer(size)?));
            }
            let (_, renderer) = kept.as_mut().expect("it was made");
            renderer.sync_data(&mut self.data).map_err(|e| e.to_string())?;
            renderer.render().map_err(|e| e.to_string())?;
            let mut pixels = renderer.rgb_flat().expect("the renderer makes pictures in colour").to_vec();
            // Where there is nothing the picture is black.
            pixels.as_chunks_mut().0.iter_mut().filter(|pixel| **pixel == [0; 3]).for_each(|pixel| *pixel = SKY);
            Ok(pixels)
        })
    }

    fn renderer(&self, [width, height]: [u32; 2]) -> Result<MjRenderer, String> {
        if width > LARGEST[0] || height > LARGEST[1] {
            return Err(format!(
                "a picture of {width} x {height} pixels is larger than {} x {}",
                LARGEST[0], LARGEST[1]
            ));
        }
        let model = self.data.model();
        let mut camera = MjvCamera::new_tracking(1);
        (camera.azimuth, camera.elevation, camera.distance) = (75.0, -12.0, self.distance);
        let renderer = MjRenderer::builder().width(width).height(height).camera(camera).build(model);
        renderer.map_err(|e| format!("no picture can be rendered here ({e})"))
    }
}

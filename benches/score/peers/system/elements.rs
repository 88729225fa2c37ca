//! What mixing elements of GStreamer cost: CPU time of a pipeline, less that of the same one without the element.

use std::process::Command;

use crate::peers::Element;

/// Runs both pipelines and prints the difference in seconds.
const SCRIPT: &str = include_str!("../../../../peers/gstreamer/cost.py");

pub(super) fn cost(element: Element, inputs: usize, seconds: u32) -> Result<(String, f64), String> {
    let version = super::gstreamer::version()?;
    let (name, mode) = match element {
        Element::AudioMixer => ("audiomixer", "audio"),
        Element::Compositor => ("compositor", "video"),
        Element::ScalingCompositor => ("compositor", "scaled"),
    };
    let output = Command::new(super::gstreamer::PYTHON)
        .args(["-c", SCRIPT, mode, &inputs.to_string(), &seconds.to_string()])
        .output()
        .map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    let cost = text.trim().parse().map_err(|_| String::from_utf8_lossy(&output.stderr).trim().to_owned())?;
    Ok((format!("GStreamer {name} {version}"), cost))
}

//! A simple map of Indonesia with a dot for each city that has a data centre.
//!
//! The outline was drawn by hand from well-known coordinates of capes, bays and towns; it shows which
//! island a city is on, and settles no border. A city that is not in the list has no dot: the table
//! below the map has every data centre.

use std::fmt::Write as _;
use std::sync::LazyLock;

use maud::{Markup, html};

use crate::words::Lang;

/// Degrees to units of the drawing, and its frame.
const SCALE: f32 = 20.0;
const WEST: f32 = 94.3;
const NORTH: f32 = 6.6;
const WIDTH: f32 = 948.0;
const HEIGHT: f32 = 366.0;

/// Longitude and latitude, degrees.
type Point = (f32, f32);

/// How near to each other two cities share a dot, in units of the drawing.
const NEAR: f32 = 15.0;

/// A dot with its words: a city, or several that are too near to each other to be told apart.
#[derive(Clone, Debug, PartialEq)]
pub struct Dot {
    cities: Vec<String>,
    point: Point,
    centres: usize,
    lapsed: bool,
}

/// Adds a data centre in a city to the dots.
pub fn add(dots: &mut Vec<Dot>, city: &str, point: Point, lapsed: bool) {
    let point = project(point);
    let distance = |dot: &Dot| (dot.point.0 - point.0).hypot(dot.point.1 - point.1);
    let Some(dot) = dots.iter_mut().find(|dot| distance(dot) < NEAR) else {
        return dots.push(Dot { cities: vec![city.to_owned()], point, centres: 1, lapsed });
    };
    if !dot.cities.iter().any(|known| known == city) {
        dot.cities.push(city.to_owned());
    }
    dot.centres += 1;
    dot.lapsed |= lapsed;
}

/// Where a city is, if this map knows it.
pub fn find(city: &str) -> Option<Point> {
    let name = city.trim().to_lowercase();
    CITIES.iter().find(|(known, _)| *known == name).map(|(_, point)| *point)
}

/// The map.
pub fn draw(l: Lang, dots: &[Dot]) -> Markup {
    let names = names(dots);
    html! {
        svg xmlns="http://www.w3.org/2000/svg" viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-labelledby="map-title map-words" {
            title id="map-title" { (l.t("Peta Indonesia dengan kota tempat pusat data", "Map of Indonesia with the cities that have a data centre")) }
            desc id="map-words" {
                @if names.is_empty() { (l.t("Tidak ada pusat data di peta ini.", "There is no data centre on this map.")) }
                @else { (l.t("Kota yang ditandai: ", "Cities marked: ")) (names) "." }
            }
            path.land d=(*LAND) {}
            @for dot in dots {
                circle.dot.lapsed[dot.lapsed] cx=(one(dot.point.0)) cy=(one(dot.point.1)) r="8" {}
            }
            @for (text, (x, y), anchor) in &labels(dots) {
                text.label x=(one(*x)) y=(one(*y)) text-anchor=(anchor) { (text) }
            }
        }
    }
}

/// The cities of the dots, in their order.
pub fn names(dots: &[Dot]) -> String {
    let names: Vec<&str> = dots.iter().flat_map(|dot| &dot.cities).map(String::as_str).collect();
    names.join(", ")
}

fn project((longitude, latitude): Point) -> Point {
    ((longitude - WEST) * SCALE, (NORTH - latitude) * SCALE)
}

fn one(number: f32) -> String {
    format!("{number:.1}")
}

/// Left, top, right, bottom.
type Frame = (f32, f32, f32, f32);

/// The words of each dot, beside it where there is room, else above or below. Where nothing is free a
/// dot stays without words: the table has them.
fn labels(dots: &[Dot]) -> Vec<(String, Point, &'static str)> {
    let clash = |a: &Frame, b: &Frame| a.0 < b.2 && b.0 < a.2 && a.1 < b.3 && b.1 < a.3;
    let inside = |b: &Frame| b.0 > 0.0 && b.2 < WIDTH && b.1 > 0.0 && b.3 < HEIGHT;
    let around = |dot: &Dot| {
        let (x, y) = dot.point;
        (x - 8.0, y - 8.0, x + 8.0, y + 8.0)
    };
    let mut taken: Vec<Frame> = dots.iter().map(around).collect();
    let mut out = Vec::new();
    for dot in dots {
        let cities = dot.cities.join(", ");
        let text = if dot.centres == 1 { cities } else { format!("{cities} ({})", dot.centres) };
        let free = |spot: &Spot| {
            inside(&spot.frame) && !taken.iter().any(|other| clash(&spot.frame, other))
        };
        if let Some(spot) = spots(dot.point, text.chars().count()).into_iter().find(free) {
            taken.push(spot.frame);
            out.push((text, (spot.x, spot.frame.3 - 4.5), spot.anchor));
        }
    }
    out
}

/// A place for words.
struct Spot {
    frame: Frame,
    x: f32,
    anchor: &'static str,
}

/// The places around a dot for so many letters, the best first.
fn spots((x, y): Point, letters: usize) -> [Spot; 4] {
    const LINE: f32 = 18.0;
    const LETTER: f32 = 8.6;
    let length = f32::from(u16::try_from(letters).unwrap_or(u16::MAX)) * LETTER;
    let spot = |left: f32, top: f32, x: f32, anchor| Spot {
        frame: (left, top, left + length, top + LINE),
        x,
        anchor,
    };
    [
        spot(x + 13.0, y - LINE / 2.0, x + 13.0, "start"),
        spot(x - 13.0 - length, y - LINE / 2.0, x - 13.0, "end"),
        spot(x - length / 2.0, y + 10.0, x, "middle"),
        spot(x - length / 2.0, y - 10.0 - LINE, x, "middle"),
    ]
}

static LAND: LazyLock<String> = LazyLock::new(|| {
    let mut path = String::new();
    for island in ISLANDS {
        for (at, point) in island.iter().enumerate() {
            let (x, y) = project(*point);
            let command = if at == 0 { 'M' } else { 'L' };
            let _ = write!(path, "{command}{x:.0} {y:.0}");
        }
        path.push('Z');
    }
    path
});

/// Outlines, a ring of points each.
#[rustfmt::skip]
const ISLANDS: &[&[Point]] = &[
    // Sumatra
    &[
        (95.3, 5.6), (96.4, 5.2), (97.5, 5.2), (98.2, 4.4), (98.7, 3.8), (99.6, 3.2), (100.3, 2.7),
        (100.9, 2.2), (101.5, 1.7), (102.2, 1.4), (102.9, 0.7), (103.4, 0.5), (103.8, 0.0),
        (103.4, -0.7), (104.3, -1.0), (104.6, -1.8), (104.9, -2.3), (105.6, -2.4), (106.0, -3.0),
        (105.9, -3.6), (105.8, -4.3), (105.9, -5.1), (105.8, -5.8), (105.3, -5.5), (104.7, -5.9),
        (104.1, -5.3), (103.3, -4.5), (102.4, -3.9), (101.6, -3.2), (101.0, -2.5), (100.7, -1.7),
        (100.3, -0.9), (99.7, 0.1), (99.1, 0.3), (98.8, 1.6), (98.0, 2.1), (97.5, 2.9),
        (96.8, 3.7), (96.0, 4.2), (95.5, 4.8), (95.2, 5.3),
    ],
    // Java
    &[
        (105.2, -6.8), (105.8, -6.5), (106.0, -5.9), (106.7, -6.1), (107.1, -5.9), (107.8, -6.2),
        (108.3, -6.3), (108.6, -6.7), (109.4, -6.9), (110.4, -6.95), (110.7, -6.5), (111.1, -6.5),
        (111.4, -6.7), (112.1, -6.9), (112.6, -6.9), (112.8, -7.4), (113.4, -7.7), (114.0, -7.6),
        (114.4, -7.9), (114.4, -8.6), (114.6, -8.75), (113.8, -8.5), (112.7, -8.4), (111.7, -8.3),
        (110.9, -8.2), (110.2, -8.0), (109.4, -7.7), (108.5, -7.8), (107.6, -7.6), (106.5, -7.4),
        (106.4, -6.95), (105.8, -6.9),
    ],
    // Madura, Bali, Lombok
    &[(112.7, -7.1), (113.1, -6.9), (114.1, -6.95), (113.6, -7.25), (112.8, -7.2)],
    &[(114.4, -8.15), (115.2, -8.05), (115.7, -8.4), (115.3, -8.6), (115.15, -8.85), (114.8, -8.4)],
    &[(115.85, -8.75), (116.1, -8.3), (116.6, -8.25), (116.7, -8.6), (116.5, -8.9)],
    // Sumbawa, Flores, Sumba
    &[
        (116.8, -8.5), (117.3, -8.4), (117.7, -8.7), (118.0, -8.2), (118.7, -8.3), (119.1, -8.6),
        (118.7, -8.85), (117.9, -8.9), (117.0, -9.1), (116.75, -8.9),
    ],
    &[
        (119.85, -8.4), (120.6, -8.25), (121.6, -8.45), (122.3, -8.6), (122.85, -8.1),
        (123.0, -8.35), (122.6, -8.75), (121.4, -8.9), (120.4, -8.8), (119.85, -8.75),
    ],
    &[(118.95, -9.55), (119.9, -9.3), (120.6, -9.9), (120.7, -10.2), (120.1, -10.2), (119.3, -9.8)],
    // Alor, Timor (the west), Rote
    &[(124.3, -8.3), (125.1, -8.2), (124.8, -8.45)],
    &[
        (123.5, -10.3), (123.7, -9.8), (124.3, -9.4), (124.95, -8.95), (125.1, -9.4),
        (124.4, -10.1), (123.7, -10.4),
    ],
    &[(122.85, -10.85), (123.4, -10.45), (123.2, -10.85)],
    // Kalimantan
    &[
        (109.65, 2.05), (109.0, 1.4), (108.95, 0.3), (109.2, -0.6), (109.6, -1.2), (110.0, -1.6),
        (110.1, -2.8), (111.0, -3.0), (111.8, -3.5), (112.6, -3.4), (113.4, -3.2), (114.2, -3.4),
        (114.6, -4.15), (115.5, -4.0), (116.2, -3.6), (116.3, -2.8), (116.6, -2.2), (116.4, -1.7),
        (116.9, -1.2), (117.5, -0.7), (117.5, 0.2), (118.0, 0.8), (119.0, 1.0), (118.2, 1.6),
        (117.9, 2.2), (117.7, 3.0), (117.4, 3.6), (117.7, 4.15), (116.6, 4.35), (115.9, 4.35),
        (115.6, 3.4), (115.5, 2.9), (114.9, 2.2), (114.7, 1.5), (113.8, 1.3), (112.9, 1.5),
        (112.1, 1.4), (111.4, 1.0), (110.5, 0.9), (109.9, 1.4),
    ],
    // Sulawesi
    &[
        (125.2, 1.6), (124.5, 1.1), (123.5, 0.95), (122.5, 1.0), (121.5, 1.2), (120.9, 1.35),
        (120.2, 0.95), (119.9, 0.4), (119.75, -0.1), (119.85, -0.8), (119.5, -1.2), (119.3, -2.0),
        (118.85, -2.7), (119.1, -3.45), (119.55, -3.6), (119.6, -4.3), (119.4, -5.2),
        (119.6, -5.6), (120.4, -5.6), (120.35, -4.6), (120.4, -3.5), (120.25, -2.95),
        (120.9, -2.65), (121.0, -3.3), (121.5, -4.1), (121.6, -4.8), (122.2, -4.8), (122.7, -4.35),
        (122.5, -3.9), (122.2, -3.4), (122.3, -3.0), (121.7, -2.5), (121.5, -1.95), (122.2, -1.65),
        (122.9, -0.95), (123.4, -1.05), (123.35, -0.6), (122.1, -0.85), (121.2, -0.9),
        (120.8, -1.4), (120.1, -0.9), (120.05, 0.1), (120.4, 0.5), (121.5, 0.45), (122.9, 0.45),
        (123.6, 0.3), (124.3, 0.4), (124.8, 0.9),
    ],
    // Muna and Buton
    &[(122.4, -5.3), (122.4, -4.8), (122.8, -4.6), (123.15, -4.4), (123.2, -5.3), (122.7, -5.6)],
    // Halmahera, Buru, Seram
    &[
        (127.4, 1.0), (127.6, 1.9), (128.05, 2.2), (127.9, 1.3), (128.7, 1.55), (128.2, 0.9),
        (128.8, 0.3), (128.0, 0.45), (127.95, -0.2), (128.4, -0.85), (127.75, -0.4), (127.6, 0.4),
    ],
    &[(126.0, -3.2), (126.7, -3.05), (127.25, -3.3), (126.8, -3.85), (126.1, -3.6)],
    &[
        (127.9, -3.4), (128.3, -2.85), (129.5, -2.8), (130.4, -3.0), (130.85, -3.8),
        (129.9, -3.35), (128.9, -3.3), (128.2, -3.5),
    ],
    // Papua
    &[
        (131.2, -0.8), (132.4, -0.35), (133.4, -0.7), (134.1, -0.85), (134.2, -1.6), (134.1, -2.3),
        (134.7, -2.6), (134.9, -3.25), (135.5, -3.35), (136.3, -2.3), (137.2, -1.8), (137.9, -1.5),
        (138.9, -1.7), (140.0, -2.4), (141.0, -2.6), (141.0, -9.1), (140.3, -8.5), (139.2, -8.1),
        (138.5, -8.4), (137.7, -8.4), (138.1, -7.5), (138.9, -6.9), (138.5, -5.9), (137.9, -5.3),
        (136.9, -4.9), (135.4, -4.5), (134.4, -4.0), (133.1, -4.1), (132.8, -3.6), (132.3, -2.95),
        (133.1, -2.7), (133.7, -2.45), (132.8, -2.25), (132.1, -2.15), (131.9, -1.6),
        (131.0, -1.35),
    ],
    // Waigeo, Misool, Biak, Yapen
    &[(130.4, -0.2), (131.0, -0.02), (131.25, -0.35), (130.7, -0.45)],
    &[(129.8, -1.9), (130.3, -1.75), (130.2, -2.05)],
    &[(135.75, -0.7), (136.35, -1.05), (136.05, -1.2), (135.8, -0.9)],
    &[(135.4, -1.65), (136.9, -1.75), (136.2, -1.95)],
    // Kei, Aru, Tanimbar
    &[(132.85, -6.0), (133.15, -5.3), (133.1, -5.9)],
    &[(134.15, -6.8), (134.1, -6.0), (134.6, -5.5), (134.8, -6.3), (134.4, -6.95)],
    &[(131.1, -8.0), (131.3, -7.4), (131.7, -7.15), (131.5, -7.8)],
    // Bangka, Belitung, Riau islands, Natuna
    &[
        (105.2, -2.05), (105.7, -1.5), (106.15, -1.9), (106.75, -2.85), (106.4, -3.1),
        (105.95, -2.6),
    ],
    &[(107.6, -2.6), (108.2, -2.65), (108.1, -3.2), (107.65, -3.15)],
    &[(103.85, 1.1), (104.15, 1.15), (104.1, 0.9)],
    &[(104.25, 1.1), (104.65, 1.15), (104.6, 0.85)],
    &[(108.0, 4.1), (108.4, 3.95), (108.2, 3.6)],
    // West of Sumatra: Simeulue, Nias, Siberut, Sipora, Enggano
    &[(95.7, 2.75), (96.4, 2.45), (96.2, 2.35)],
    &[(97.1, 1.4), (97.9, 0.75), (97.8, 0.55), (97.3, 0.95)],
    &[(98.65, -1.0), (99.1, -1.4), (99.2, -1.8), (98.8, -1.5)],
    &[(99.55, -2.0), (99.85, -2.35), (99.6, -2.3)],
    &[(102.15, -5.3), (102.4, -5.4), (102.2, -5.45)],
];

/// Cities by their usual names, lower case.
#[rustfmt::skip]
const CITIES: &[(&str, Point)] = &[
    ("ambon", (128.18, -3.70)), ("balikpapan", (116.83, -1.27)), ("banda aceh", (95.32, 5.55)),
    ("bandar lampung", (105.26, -5.43)), ("bandung", (107.61, -6.91)),
    ("banjarmasin", (114.59, -3.32)), ("batam", (104.03, 1.05)), ("bekasi", (107.00, -6.24)),
    ("bengkulu", (102.26, -3.80)), ("bogor", (106.80, -6.60)), ("cikarang", (107.15, -6.31)),
    ("cibitung", (107.08, -6.26)), ("cilegon", (106.05, -6.02)), ("cirebon", (108.55, -6.73)),
    ("denpasar", (115.22, -8.65)), ("depok", (106.82, -6.40)), ("gorontalo", (123.06, 0.54)),
    ("jakarta", (106.83, -6.19)), ("jambi", (103.61, -1.61)), ("jayapura", (140.70, -2.54)),
    ("karawang", (107.30, -6.31)), ("kendari", (122.51, -3.97)), ("kupang", (123.60, -10.17)),
    ("makassar", (119.42, -5.14)), ("malang", (112.63, -7.98)), ("mamuju", (118.89, -2.68)),
    ("manado", (124.84, 1.48)), ("manokwari", (134.07, -0.86)), ("mataram", (116.12, -8.58)),
    ("medan", (98.67, 3.59)), ("merauke", (140.39, -8.49)), ("nusantara", (116.70, -0.97)),
    ("padang", (100.36, -0.95)), ("palangka raya", (113.92, -2.21)),
    ("palembang", (104.75, -2.98)), ("palu", (119.87, -0.90)), ("pangkal pinang", (106.11, -2.13)),
    ("pekanbaru", (101.45, 0.53)), ("pontianak", (109.33, -0.03)), ("purwakarta", (107.44, -6.55)),
    ("samarinda", (117.15, -0.50)), ("semarang", (110.42, -6.99)), ("serang", (106.15, -6.12)),
    ("sidoarjo", (112.72, -7.45)), ("solo", (110.83, -7.57)), ("sorong", (131.26, -0.88)),
    ("surabaya", (112.75, -7.26)), ("surakarta", (110.83, -7.57)), ("tangerang", (106.63, -6.18)),
    ("tangerang selatan", (106.71, -6.29)), ("tanjung pinang", (104.45, 0.92)),
    ("tanjung selor", (117.37, 2.84)), ("tarakan", (117.63, 3.30)), ("ternate", (127.38, 0.79)),
    ("timika", (136.89, -4.55)), ("yogyakarta", (110.37, -7.80)),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn dots(cities: &[&str]) -> Vec<Dot> {
        let mut dots = Vec::new();
        for city in cities {
            add(&mut dots, city, find(city).expect("the test names cities of the map"), false);
        }
        dots
    }

    #[test]
    fn the_drawing_is_light_and_inside_its_frame() {
        assert!(LAND.len() < 15_000, "{}", LAND.len());
        for (x, y) in ISLANDS.iter().flat_map(|island| island.iter()).copied().map(project) {
            assert!((0.0..=WIDTH).contains(&x) && (0.0..=HEIGHT).contains(&y), "{x} {y}");
        }
        for (city, point) in CITIES {
            let (x, y) = project(*point);
            assert!((0.0..=WIDTH).contains(&x) && (0.0..=HEIGHT).contains(&y), "{city}");
        }
    }

    #[test]
    fn every_city_is_where_it_is_looked_for() {
        for (city, point) in CITIES {
            assert_eq!(find(&city.to_uppercase()), Some(*point), "{city}");
        }
        assert_eq!(find("Atlantis"), None);
    }

    #[test]
    fn cities_too_near_to_each_other_share_a_dot() {
        let drawn =
            draw(Lang::Id, &dots(&["Jakarta", "Bekasi", "Surabaya", "Surabaya"])).into_string();
        assert_eq!(drawn.matches("<circle").count(), 2);
        assert!(drawn.contains(">Jakarta, Bekasi (2)</text>"), "{drawn}");
        assert!(drawn.contains(">Surabaya (2)</text>"));
        assert!(drawn.contains("Jakarta, Bekasi, Surabaya."));
    }

    #[test]
    fn words_on_the_map_never_leave_its_frame_or_cover_each_other() {
        let all: Vec<&str> = CITIES.iter().map(|(city, _)| *city).collect();
        let dots = dots(&all);
        let labels = labels(&dots);
        assert!(labels.len() > 15, "{} of {}", labels.len(), dots.len());
        for (at, (text, (x, y), _)) in labels.iter().enumerate() {
            assert!((0.0..=WIDTH).contains(x) && (0.0..=HEIGHT).contains(y), "{text}");
            for (other, (ox, oy), _) in &labels[at + 1..] {
                assert!((x - ox).abs() > 8.0 || (y - oy).abs() > 8.0, "{text} and {other}");
            }
        }
    }

    #[test]
    fn the_words_say_what_the_drawing_shows() {
        let drawn = draw(Lang::En, &[]).into_string();
        assert!(drawn.contains("role=\"img\"") && drawn.contains("<title id=\"map-title\">"));
        assert!(drawn.contains("There is no data centre on this map."));
    }
}

#![allow(clippy::unwrap_used, reason = "tests may")]

use ::image::{Rgb, RgbImage, Rgba, RgbaImage};
use proptest::prelude::*;

use super::*;

/// Red on the left, blue on the right.
fn sample(width: u32, height: u32) -> Vec<u8> {
    let image = RgbImage::from_fn(width, height, |x, _| {
        if x < width / 2 { Rgb([250, 0, 0]) } else { Rgb([0, 0, 250]) }
    });
    let mut out = Cursor::new(Vec::new());
    image.write_to(&mut out, ImageFormat::Png).unwrap();
    out.into_inner()
}

fn made(bytes: &[u8], text: &str) -> DynamicImage {
    let rendered = run(bytes, &[], &parse(text).unwrap()).unwrap();
    ::image::load_from_memory(&rendered.bytes).unwrap()
}

fn refused(bytes: &[u8], text: &str) -> String {
    let refused = parse(text).and_then(|plan| run(bytes, &[], &plan)).err();
    refused.unwrap().code().to_owned()
}

#[test]
fn each_step_does_what_it_says() {
    let bytes = sample(40, 20);
    let size = |text: &str| {
        let image = made(&bytes, text);
        (image.width(), image.height())
    };
    assert_eq!(size("image/resize,w_20"), (20, 10));
    assert_eq!(size("image/resize,m_pad,w_20,h_20,color_00FF00"), (20, 20));
    assert_eq!(size("image/resize,p_50/rotate,90"), (10, 20));
    assert_eq!(size("image/crop,w_10,h_10,x_5,y_5,r_1"), (10, 10));
    assert_eq!(size("image/circle,r_5"), (10, 10));
    assert_eq!(size("image/rotate,45"), (42, 42));
    let first = |text: &str| made(&bytes, text).to_rgba8().get_pixel(0, 0).0;
    assert_eq!(first("image/flip,h"), [0, 0, 250, 255]);
    assert_eq!(first("image/rotate,180"), [0, 0, 250, 255]);
    assert_eq!(first("image/resize,m_pad,w_20,h_20,color_00FF00"), [0, 255, 0, 255]);
    assert_eq!(first("image/rounded-corners,r_5")[3], 0);
    assert_eq!(first("image/crop,w_10,g_east"), [0, 0, 250, 255]);
    assert_eq!(first("image/bright,50")[1], 127);
    for text in ["image/blur,r_3,s_2", "image/contrast,-50", "image/sharpen,100"] {
        assert_eq!(size(text), (40, 20), "{text}");
        assert_ne!(
            made(&bytes, text).to_rgb8(),
            made(&bytes, "image/quality,q_90").to_rgb8(),
            "{text}"
        );
    }
}

#[test]
fn an_image_comes_in_the_format_that_is_asked_for() {
    let bytes = sample(40, 20);
    for (name, format) in [
        ("jpg", ImageFormat::Jpeg),
        ("png", ImageFormat::Png),
        ("webp", ImageFormat::WebP),
        ("bmp", ImageFormat::Bmp),
        ("gif", ImageFormat::Gif),
    ] {
        let rendered = run(&bytes, &[], &parse(&format!("image/format,{name}")).unwrap()).unwrap();
        assert_eq!(::image::guess_format(&rendered.bytes).unwrap(), format, "{name}");
        let info = run(&rendered.bytes, &[], &parse("image/info").unwrap()).unwrap();
        let info: serde_json::Value = serde_json::from_slice(&info.bytes).unwrap();
        assert_eq!(info["Format"]["value"], name);
        assert_eq!(
            (&info["ImageWidth"]["value"], &info["ImageHeight"]["value"]),
            (&"40".into(), &"20".into())
        );
        assert_eq!(info["FileSize"]["value"], rendered.bytes.len().to_string());
    }
    let size = |quality: &str| {
        let plan = parse(&format!("image/format,jpg/quality,{quality}")).unwrap();
        run(&bytes, &[], &plan).unwrap().bytes.len()
    };
    assert!(size("Q_10") < size("Q_95"));
}

#[test]
fn transparency_becomes_white_where_a_format_has_none() {
    let image = RgbaImage::from_pixel(8, 8, Rgba([0, 0, 0, 0]));
    let mut out = Cursor::new(Vec::new());
    image.write_to(&mut out, ImageFormat::Png).unwrap();
    assert_eq!(made(out.get_ref(), "image/format,bmp").to_rgb8().get_pixel(3, 3).0, [255; 3]);
}

#[test]
fn what_is_no_image_or_too_large_is_refused() {
    assert_eq!(refused(b"no image at all", "image/resize,w_10"), "BadRequest");
    assert_eq!(refused(&sample(40, 20)[..60], "image/resize,w_10"), "BadRequest");
    // A header that promises 16,000 by 16,000 pixels, and nothing behind it.
    let mut bomb = sample(40, 20);
    bomb[16..20].copy_from_slice(&16_000_u32.to_be_bytes());
    bomb[20..24].copy_from_slice(&16_000_u32.to_be_bytes());
    let crc = crc32(&bomb[12..29]);
    bomb[29..33].copy_from_slice(&crc.to_be_bytes());
    assert_eq!(refused(&bomb, "image/info"), "ImageTooLarge");
    assert_eq!(refused(&bomb, "image/resize,w_10"), "ImageTooLarge");
}

/// Of a chunk of PNG.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 }
        })
    })
}

#[test]
fn what_is_not_done_is_not_left_out() {
    let bytes = sample(4, 4);
    for unknown in [
        "image/watermark,text_eA",
        "image/format,heif",
        "video/snapshot",
        "image/interlace,1",
        "image/resize,w_2,z_1",
    ] {
        assert_eq!(refused(&bytes, unknown), "NotImplemented", "{unknown}");
    }
    for wrong in [
        "image/resize",
        "image/resize,w_0",
        "image/resize,w_x",
        "image/resize,w_1,w_2",
        "image/resize,m_x,w_1",
        "image/crop,x_4",
        "image/rotate,361",
        "image/rotate,-1",
        "image/quality,q_101",
        "image/sharpen,1",
        "image/circle",
        "image/resize,m_pad,w_2,color_12",
    ] {
        assert_eq!(refused(&bytes, wrong), "InvalidArgument", "{wrong}");
    }
    let long = format!("image{}", "/rotate,90".repeat(21));
    assert_eq!(refused(&bytes, &long), "InvalidArgument");
}

#[test]
fn the_steps_of_a_watermark_count_too() {
    let with = |inner: usize, outer: usize| {
        let before = vec!["rotate,90"; inner].join("/");
        let mark = watermark(&format!("b?x-oss-process=image/{before}"), "");
        parse(&format!("{mark}{}", "/rotate,90".repeat(outer)))
    };
    assert!(with(10, 9).is_ok());
    for (inner, outer) in [(10, 10), (20, 0), (1000, 0)] {
        let refused = with(inner, outer).unwrap_err();
        assert_eq!(refused.code(), "InvalidArgument", "{inner} and {outer}");
    }
}

#[test]
fn a_watermark_takes_no_longer_than_its_image_may() {
    let plan = parse(&watermark("b?x-oss-process=image/rotate,90", "")).unwrap();
    let Wish::Image(steps) = plan.wish else { panic!("it is no image") };
    let [Step::Watermark(mark)] = steps.as_slice() else { panic!("it is no watermark") };
    let (image, bytes, now) = (DynamicImage::new_rgb8(4, 4), sample(4, 4), Instant::now());
    assert!(mark.put(image.clone(), &bytes, now + TIMEOUT).is_ok());
    let past = now.checked_sub(Duration::from_secs(1)).unwrap();
    assert_eq!(mark.put(image, &bytes, past).unwrap_err().status(), 503);
}

/// `image/watermark,image_` of an object that is called `name`, and its arguments.
fn watermark(name: &str, more: &str) -> String {
    let name = base64::Engine::encode(&BASE64, name);
    format!("image/watermark,image_{name}{more}")
}

/// What becomes of 40 by 20 pixels, and where the green mark of 8 by 4 is in it: its left and upper edge, and size.
fn marked(text: &str) -> (RgbaImage, Option<(u32, u32, u32, u32)>) {
    let mark = RgbImage::from_pixel(8, 4, Rgb([0, 250, 0]));
    let mut bytes = Cursor::new(Vec::new());
    mark.write_to(&mut bytes, ImageFormat::Png).unwrap();
    let plan = parse(text).unwrap();
    let rendered = run(&sample(40, 20), &[bytes.into_inner()], &plan).unwrap();
    let made = ::image::load_from_memory(&rendered.bytes).unwrap().to_rgba8();
    let green = made.enumerate_pixels().filter(|(.., pixel)| pixel.0[1] > 100);
    let green: Vec<(u32, u32)> = green.map(|(x, y, _)| (x, y)).collect();
    let (xs, ys) = (green.iter().map(|at| at.0), green.iter().map(|at| at.1));
    let span = xs.clone().min().zip(ys.clone().min()).zip(xs.max().zip(ys.max()));
    (made, span.map(|((left, top), (right, low))| (left, top, right + 1 - left, low + 1 - top)))
}

#[test]
fn a_watermark_is_where_it_is_asked_for() {
    for (arguments, place) in [
        ("", (22, 6, 8, 4)),
        (",g_nw,x_1,y_2", (1, 2, 8, 4)),
        (",g_center", (16, 8, 8, 4)),
        (",g_south,y_0", (16, 16, 8, 4)),
        (",g_east,x_3", (29, 8, 8, 4)),
        (",g_nw,x_0,y_0,P_50", (0, 0, 20, 10)),
        // What stands out is cut off.
        (",g_nw,x_36,y_0", (36, 0, 4, 4)),
    ] {
        assert_eq!(marked(&watermark("a/b.png", arguments)).1, Some(place), "{arguments}");
    }
    assert_eq!(marked(&watermark("b", ",g_nw,x_100")).1, None);
    let before = watermark("b?x-oss-process=image/resize,P_10/rotate,90", ",g_nw,x_0,y_0");
    assert_eq!(marked(&before).1, Some((0, 0, 1, 2)));
    let faint = marked(&watermark("b", ",g_nw,x_0,y_0,t_50")).0.get_pixel(0, 0).0;
    assert!((120..=130).contains(&faint[1]) && (120..=130).contains(&faint[0]), "{faint:?}");
    assert_eq!(
        parse(&watermark("a/b?x-oss-process=image/resize,w_9", "")).unwrap().watermarks().next(),
        Some("a/b")
    );
}

#[test]
fn what_is_no_watermark_is_refused() {
    let bytes = sample(4, 4);
    let nested = watermark("b?x-oss-process=image/watermark,image_Yg", "");
    for unknown in [&watermark("b", ",voffset_1"), &watermark("b", ",text_eA"), &nested] {
        assert_eq!(refused(&bytes, unknown), "NotImplemented", "{unknown}");
    }
    let many = format!("image{}", "/watermark,image_Yg".repeat(4));
    for wrong in ["image/watermark", "image/watermark,image_!", &watermark("b", ",t_101"), &many] {
        assert_eq!(refused(&bytes, wrong), "InvalidArgument", "{wrong}");
    }
    let plan = parse(&watermark("b", "")).unwrap();
    assert_eq!(run(&bytes, &[b"none".to_vec()], &plan).err().unwrap().code(), "BadRequest");
    let large = sample(4000, 2001);
    assert_eq!(run(&bytes, &[large], &plan).err().unwrap().code(), "ImageTooLarge");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_process_is_read_or_refused(text in "(image/)?([a-z-]{1,8}(,[a-zQ]{1,5}_-?[0-9a-z]{0,6}){0,3}/?){0,4}") {
        drop(parse(&text));
    }

    #[test]
    fn any_watermark_is_read_or_refused(
        name in "[a-z/]{0,6}(\\?x-oss-process=(image/)?([a-z]{1,9}(,[a-zP]{1,2}_[0-9]{0,3}){0,2}/?){0,3})?", more in "(,[tgxyP]_[0-9a-z]{0,4}){0,4}", raw in "[a-zA-Z0-9_=-]{0,12}"
    ) {
        drop(parse(&watermark(&name, &more)));
        drop(parse(&format!("image/watermark,image_{raw}{more}")));
    }

    #[test]
    fn any_sizes_make_an_image_or_a_refusal(
        (width, height) in (1_u32..40, 1_u32..40),
        mode in prop::sample::select(vec!["lfit", "mfit", "fill", "pad", "fixed"]),
        (w, h, x, y) in (1_u32..90, 1_u32..90, 0_u32..50, 0_u32..50),
        limit in 0..2,
        degrees in 0..361,
        radius in 1..60,
    ) {
        let text = format!(
            "image/resize,m_{mode},w_{w},h_{h},limit_{limit}/rotate,{degrees}/circle,r_{radius}/crop,x_{x},y_{y},g_center"
        );
        let plan = parse(&text).unwrap();
        if let Ok(rendered) = run(&sample(width, height), &[], &plan) {
            prop_assert!(::image::load_from_memory(&rendered.bytes).is_ok());
        }
    }
}

#[test]
fn results_that_nobody_takes_leave_no_room_for_more_until_they_are_dropped() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.unwrap().block_on(async {
        let results = Arc::new(Semaphore::new(3));
        let keep = async |bytes: Vec<u8>| keep(&results, bytes, Duration::from_millis(50)).await;
        let first = keep(vec![1; 2 * RESULT_UNIT]).await.unwrap();
        let second = keep(vec![2; 10]).await.unwrap();
        assert_eq!(keep(vec![3]).await.unwrap_err().status(), 503);
        // What a client still has of it counts whole.
        let rest = first.slice(5..);
        drop(first);
        assert_eq!(keep(vec![3]).await.unwrap_err().status(), 503);
        drop(rest);
        assert_eq!(keep(vec![3; RESULT_UNIT + 1]).await.unwrap().len(), RESULT_UNIT + 1);
        assert_eq!(second, vec![2; 10]);
    });
}

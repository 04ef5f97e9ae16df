//! Virtual devices for one-time passwords, and which user has which.

use base::{AccountId, ApiError, Time};
use engine::{Action, Cx, Meta};
use serde::{Deserialize, Serialize};

use super::users::{self, UserName};
use super::{Empty, List, UNPAGED_MAX, list, read, write};
use crate::errors::{
    DEVICE_BOUND, DEVICE_EXISTS, DEVICE_HAS_USER, NO_DEVICE, NO_USER_DEVICE, USER_DEVICE_EXISTS,
    WRONG_CODE,
};
use crate::tables::{Change, mfa_device};
use crate::{check, ids, totp};

/// The name in a serial number, if it is one of this account's.
fn name_of(account: AccountId, serial_number: &str) -> Result<&str, ApiError> {
    let name = serial_number.strip_prefix(&ids::serial_number(account, ""));
    name.filter(|name| check::entity("SerialNumber", name).is_ok()).ok_or_else(|| NO_DEVICE.into())
}

/// Makes a device; its seed is shown this once. There is no `QRCodePNG`: any program makes a picture
/// of `otpauth://totp/<name>?secret=<seed>`.
pub(super) struct CreateVirtualMFADevice;

#[derive(Deserialize)]
pub(super) struct CreateVirtualMFADeviceRequest {
    #[serde(rename = "VirtualMFADeviceName")]
    name: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Created {
    serial_number: String,
    base32_string_seed: String,
}

#[derive(Serialize)]
pub(super) struct CreateVirtualMFADeviceResponse {
    #[serde(rename = "VirtualMFADevice")]
    device: Created,
}

impl Action for CreateVirtualMFADevice {
    const META: Meta = write("CreateVirtualMFADevice");
    type Request = CreateVirtualMFADeviceRequest;
    type Response = CreateVirtualMFADeviceResponse;

    fn run(
        cx: &mut Cx<'_>,
        request: CreateVirtualMFADeviceRequest,
    ) -> Result<CreateVirtualMFADeviceResponse, ApiError> {
        check::entity("VirtualMFADeviceName", &request.name)?;
        let (account, cloud) = (cx.account(), cx.cloud);
        cx.authorize(&ids::arn(account, "mfa", &request.name))?;
        let seed: [u8; totp::SEED_LEN] = cx.rng().bytes();
        let serial_number = ids::serial_number(account, &request.name);
        let sealed = cloud.seal.seal(&mfa_device::seal_context(&serial_number), &seed);
        if !mfa_device::insert(&mut Change::of(cx), account, &request.name, &sealed)? {
            return Err(DEVICE_EXISTS.into());
        }
        let base32_string_seed = totp::base32(&seed);
        Ok(CreateVirtualMFADeviceResponse { device: Created { serial_number, base32_string_seed } })
    }
}

/// Lists the devices of the account.
pub(super) struct ListVirtualMFADevices;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Holder {
    user_id: String,
    user_name: String,
    display_name: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    serial_number: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    activate_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<Holder>,
}

#[derive(Serialize)]
pub(super) struct ListVirtualMFADevicesResponse {
    #[serde(rename = "VirtualMFADevices")]
    devices: List<Listed>,
}

impl Action for ListVirtualMFADevices {
    const META: Meta = read("ListVirtualMFADevices");
    type Request = Empty;
    type Response = ListVirtualMFADevicesResponse;

    fn run(cx: &mut Cx<'_>, _: Empty) -> Result<ListVirtualMFADevicesResponse, ApiError> {
        let account = cx.account();
        cx.authorize(&ids::arn(account, "mfa", "*"))?;
        let rows = mfa_device::list(cx.tx(), account, UNPAGED_MAX)?;
        let view = |device: mfa_device::Listed| Listed {
            serial_number: ids::serial_number(account, &device.name),
            activate_date: device.activated.map(Time::iso),
            user: device.user.map(|(user_id, user_name, display_name)| Holder {
                user_id,
                user_name,
                display_name,
            }),
        };
        Ok(ListVirtualMFADevicesResponse {
            devices: list("VirtualMFADevice", rows.into_iter().map(view)),
        })
    }
}

/// Binds a device to a user who shows two codes in a row of it.
pub(super) struct BindMFADevice;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct BindMFADeviceRequest {
    user_name: String,
    serial_number: String,
    authentication_code1: String,
    authentication_code2: String,
}

impl Action for BindMFADevice {
    const META: Meta = write("BindMFADevice");
    type Request = BindMFADeviceRequest;
    type Response = Empty;

    fn run(cx: &mut Cx<'_>, request: BindMFADeviceRequest) -> Result<Empty, ApiError> {
        for code in [&request.authentication_code1, &request.authentication_code2] {
            let digits = code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit());
            check::format("AuthenticationCode", digits)?;
        }
        users::authorize(cx, &request.user_name)?;
        let (account, now, cloud) = (cx.account(), cx.now, cx.cloud);
        let user = users::find(cx, &request.user_name)?;
        let name = name_of(account, &request.serial_number)?;
        let device =
            mfa_device::find(cx.tx(), account, name)?.ok_or_else(|| ApiError::new(&NO_DEVICE))?;
        if device.user_id.is_some() {
            return Err(DEVICE_BOUND.into());
        }
        if mfa_device::user_has_one(cx.tx(), &user.id)? {
            return Err(USER_DEVICE_EXISTS.into());
        }
        let seed =
            cloud.seal.open(&mfa_device::seal_context(&request.serial_number), &device.seed)?;
        if !totp::verify_pair(
            &seed,
            &request.authentication_code1,
            &request.authentication_code2,
            now,
        ) {
            return Err(WRONG_CODE.into());
        }
        mfa_device::bind(&mut Change::of(cx), account, name, Some((&user.id, now)))?;
        cx.audit_detail("SerialNumber", request.serial_number);
        Ok(Empty {})
    }
}

/// Takes a user's device away; the device stays, for somebody else.
pub(super) struct UnbindMFADevice;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Unbound {
    serial_number: String,
}

#[derive(Serialize)]
pub(super) struct UnbindMFADeviceResponse {
    #[serde(rename = "MFADevice")]
    device: Unbound,
}

impl Action for UnbindMFADevice {
    const META: Meta = write("UnbindMFADevice");
    type Request = UserName;
    type Response = UnbindMFADeviceResponse;

    fn run(cx: &mut Cx<'_>, request: UserName) -> Result<UnbindMFADeviceResponse, ApiError> {
        let device = device_of(cx, &request.user_name)?;
        let account = cx.account();
        mfa_device::bind(&mut Change::of(cx), account, &device.name, None)?;
        let serial_number = ids::serial_number(account, &device.name);
        cx.audit_detail("SerialNumber", &serial_number);
        Ok(UnbindMFADeviceResponse { device: Unbound { serial_number } })
    }
}

/// Asks for permission on a user and finds its device.
fn device_of(cx: &mut Cx<'_>, user_name: &str) -> Result<mfa_device::Device, ApiError> {
    users::authorize(cx, user_name)?;
    let user = users::find(cx, user_name)?;
    mfa_device::of_user(cx.tx(), &user.id)?.ok_or_else(|| NO_USER_DEVICE.into())
}

/// Shows which device a user has.
pub(super) struct GetUserMFAInfo;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Bound {
    serial_number: String,
    r#type: &'static str,
}

#[derive(Serialize)]
pub(super) struct GetUserMFAInfoResponse {
    #[serde(rename = "MFADevice")]
    device: Bound,
}

impl Action for GetUserMFAInfo {
    const META: Meta = read("GetUserMFAInfo");
    type Request = UserName;
    type Response = GetUserMFAInfoResponse;

    fn run(cx: &mut Cx<'_>, request: UserName) -> Result<GetUserMFAInfoResponse, ApiError> {
        let device = device_of(cx, &request.user_name)?;
        let serial_number = ids::serial_number(cx.account(), &device.name);
        Ok(GetUserMFAInfoResponse { device: Bound { serial_number, r#type: "VMFA" } })
    }
}

/// Deletes a device that nobody has.
pub(super) struct DeleteVirtualMFADevice;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteVirtualMFADeviceRequest {
    serial_number: String,
}

impl Action for DeleteVirtualMFADevice {
    const META: Meta = write("DeleteVirtualMFADevice");
    type Request = DeleteVirtualMFADeviceRequest;
    type Response = Empty;

    fn run(cx: &mut Cx<'_>, request: DeleteVirtualMFADeviceRequest) -> Result<Empty, ApiError> {
        let account = cx.account();
        let name = name_of(account, &request.serial_number);
        cx.authorize(&ids::arn(account, "mfa", name.as_ref().map_or("*", |name| name)))?;
        let name = name?;
        let device =
            mfa_device::find(cx.tx(), account, name)?.ok_or_else(|| ApiError::new(&NO_DEVICE))?;
        if device.user_id.is_some() {
            return Err(DEVICE_HAS_USER.into());
        }
        mfa_device::delete(&mut Change::of(cx), account, name)?;
        Ok(Empty {})
    }
}
